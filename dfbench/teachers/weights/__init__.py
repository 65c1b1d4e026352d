"""Files of weights from elsewhere: their format, tensors, and fit to a network."""
