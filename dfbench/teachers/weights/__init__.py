"""External weight files: their format, their tensors and their fit to a network."""
