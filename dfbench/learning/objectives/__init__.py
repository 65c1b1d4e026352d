"""Training objectives of the two encoders, one per module."""
