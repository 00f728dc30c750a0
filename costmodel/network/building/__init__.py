"""What verbs and cells are made of: tensors in the making, sizes, genotypes."""
