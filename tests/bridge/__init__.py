"""What is compiled, read and executed."""
