"""What the two encoders of a row minimise: one module an objective."""
