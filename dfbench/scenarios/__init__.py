"""Scenarios: which classes each teacher knows, and which are queried.

Here is what names them, free of NumPy; `division` has the arithmetic, `opening` the images.
"""

from dfbench.scenarios.scenario import CLOSED, Scenario, canonical, parse_scenario

__all__ = ["CLOSED", "Scenario", "canonical", "parse_scenario"]
