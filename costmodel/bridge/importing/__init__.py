"""Import of foreign networks: the code that all front ends share, without PyTorch."""
