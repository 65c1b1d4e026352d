"""Scenarios: the classes of each teacher, of queries and of the gallery.

This module has their names; `classes` computes class splits, which
`dfbench.planning.data` applies to a dataset.
"""

from dfbench.scenarios.scenario import CLOSED, Scenario, canonical, parse_scenario

__all__ = ["CLOSED", "Scenario", "canonical", "parse_scenario"]
