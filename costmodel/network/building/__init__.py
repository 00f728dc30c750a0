"""What verbs are made of: tensors of a network in the making, and their sizes."""
