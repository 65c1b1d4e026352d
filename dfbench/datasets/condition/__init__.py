"""Checks of `dfbench data verify` for each kind of dataset."""
