"""Scripts that run beside another engine are no modules of this one's tests."""

collect_ignore = ["__main__.py", "old_files.py", "worker.py"]
