"""What is derived from a network."""
