"""Executors: where the tasks of a suite run, and how many at a time."""
