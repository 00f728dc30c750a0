"""Width propagation: which channels of a network have to grow together."""
