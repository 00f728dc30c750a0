"""The networks, family by family."""
