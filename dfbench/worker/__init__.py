"""The process that a run starts: `python -m dfbench.worker`."""
