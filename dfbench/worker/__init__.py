"""What happens inside the process that a run starts: `python -m dfbench.worker`."""
