"""Names of scenarios and their canonical spelling."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from dfbench.errors import InvalidInput, unknown_name

ScenarioName = Literal["closed", "overlap", "fixed-overlap", "unseen"]
CLOSED = "closed"
"""Both teachers know all classes, and all are queried."""

_OVERLAPS: dict[str, ScenarioName] = {"overlap": "overlap", "fixed-overlap": "fixed-overlap"}
FORMS = {
    CLOSED: "all",
    "overlap=0.5": "both know half of the classes, only one knows each of the others",
    "fixed-overlap=0.5": "the same, with as many classes per teacher at every overlap",
    "unseen=0.25": "queries are of a quarter of the classes, which no teacher knows",
    "unseen=SPLIT": "the same, with a published split",
}
"""What users may give, and which classes the teachers know then."""


@dataclass(frozen=True)
class Scenario:
    """A scenario, independent of a dataset."""

    kind: ScenarioName
    share: Decimal | None = None
    """The share of classes that both teachers know or, for `unseen`, of unseen classes."""
    split: str | None = None
    """For `unseen`, the name of a published split in lower case."""

    @property
    def partial(self) -> bool:
        """Whether each teacher may know classes that the other does not."""
        return self.kind in _OVERLAPS

    def __str__(self) -> str:
        if self.kind == CLOSED:
            return self.kind
        return f"{self.kind}={self.split if self.share is None else _decimals(self.share)}"


def parse_scenario(text: str) -> Scenario:
    """The scenario named by a text, e.g. `overlap=.5` or `unseen=S25-SAKE`.

    Raises `UnknownName` for an unknown scenario, and `InvalidInput` for a share out of range.

    >>> str(parse_scenario("overlap=.50"))
    'overlap=0.5'
    """
    name, _, value = text.strip().lower().partition("=")
    if text.strip().lower() == CLOSED:
        return Scenario("closed")
    if name in _OVERLAPS and value:
        return Scenario(_OVERLAPS[name], share=_overlap(text, value))
    if name == "unseen" and value:
        share = _number(value)
        return Scenario("unseen", split=value) if share is None else _unseen(text, share)
    raise unknown_name("scenario", text, FORMS, "dfbench run --help")


def canonical(text: str) -> str:
    """The canonical spelling of a scenario. Raises the exceptions of `parse_scenario`."""
    return str(parse_scenario(text))


def _overlap(text: str, value: str) -> Decimal:
    share = _number(value)
    if share is None or not 0 < share <= 1:
        raise InvalidInput(
            f"scenario {text!r}; allowed: an overlap above 0 and at most 1, e.g. "
            "--scenario overlap=0.5"
        )
    return share


def _unseen(text: str, share: Decimal) -> Scenario:
    if not 0 < share < 1:
        raise InvalidInput(
            f"scenario {text!r}; allowed: a share of unseen classes above 0 and below 1, or a "
            "published split, e.g. --scenario unseen=0.25"
        )
    return Scenario("unseen", share=share)


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _decimals(share: Decimal) -> str:
    digits = f"{share.normalize():f}"
    return digits if "." in digits else f"{digits}.0"
