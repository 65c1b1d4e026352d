"""The GPU check: everything dfbench claims of GPUs, measured by one command in eight minutes.

    python -m benchmarks.perf.gpu --minutes 8 --out gpu-check

Each step runs in a process of its own, within its share of the time that is left, and writes its
file as it measures: a crash, an out-of-memory or the end of the time costs one step at most.
"""
