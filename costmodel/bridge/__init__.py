"""The bridge to PyTorch: compile a network, and ask independent oracles about it."""
