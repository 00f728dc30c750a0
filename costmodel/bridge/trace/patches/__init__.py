"""What is replaced in Python and PyTorch while a module runs, and put back."""
