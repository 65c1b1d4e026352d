"""Performance benchmarks, run from the repository root as `python -m benchmarks.perf.NAME`."""
