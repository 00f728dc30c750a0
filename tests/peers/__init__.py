"""Other counters, each run in a process of its own: some of them patch PyTorch."""
