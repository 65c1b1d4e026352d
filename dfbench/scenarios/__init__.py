"""Scenarios: the classes of each teacher, of queries and of the gallery.

`scenario` has their names, `classes` computes the class split of a dataset.
"""

from dfbench.scenarios.scenario import CLOSED, Scenario, canonical, parse_scenario

__all__ = ["CLOSED", "Scenario", "canonical", "parse_scenario"]
