"""Performance benchmarks, run from the repository root as `python -m benchmarks.perf.NAME`.

`python -m benchmarks.perf` refreshes all committed figures.
"""
