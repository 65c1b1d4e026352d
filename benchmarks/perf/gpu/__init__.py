"""The GPU check: all claims of dfbench about GPUs, measured by one command in eight minutes.

    python -m benchmarks.perf.gpu --minutes 8 --out gpu-check

Each step runs in a separate process, within its share of the remaining time, and writes its file
after each measurement: a crash, lack of memory or the end of the time costs at most one step.
"""
