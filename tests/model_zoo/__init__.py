"""Many networks, ours and torchvision's and timm's: a session of its own."""
