"""Figures of finished runs for papers; matplotlib is imported here and nowhere else."""
