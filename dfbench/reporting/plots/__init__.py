"""Figures of finished runs for papers; the only package that imports matplotlib."""
