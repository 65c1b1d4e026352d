"""Differences between methods, with intervals from a paired bootstrap."""
