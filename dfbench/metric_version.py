"""The version of the metrics, where planning can read it without importing torch."""

METRIC_VERSION = 1
"""Raised when any number may change; part of the identity of a stored result."""
