"""What a space is, the kinds that there are, and how its points are told apart."""
