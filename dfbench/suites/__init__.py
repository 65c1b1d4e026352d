"""Suites: many runs from one file; planned, looked up, scheduled, executed."""
