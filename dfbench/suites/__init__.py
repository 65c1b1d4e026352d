"""Suites: grids of runs from one file, planned, looked up, scheduled and executed."""
