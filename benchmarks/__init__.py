"""Data of the benchmark: suites and published numbers."""
