"""Scenarios: the classes of each teacher, of queries and of the gallery.

This module has their names and needs no NumPy; `division` computes class splits, and `opening`
applies them to a dataset.
"""

from dfbench.scenarios.scenario import CLOSED, Scenario, canonical, parse_scenario

__all__ = ["CLOSED", "Scenario", "canonical", "parse_scenario"]
