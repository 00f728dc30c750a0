"""Foreign networks read into ours: what every front end shares, without PyTorch."""
