"""Networks of torchvision and timm: slow, a session of its own."""
