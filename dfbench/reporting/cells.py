"""Formatting of numbers in table cells."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, sqrt
from statistics import fmean

NONE = "-"
"""Printed where there is no number."""
_MINUTE = 60


def short(value: float) -> str:
    """Three decimals without the leading zero, as papers print scores.

    >>> short(0.0417), short(1.0)
    ('.042', '1.000')
    """
    return f"{value:.3f}".removeprefix("0")


def signed(value: float) -> str:
    """A difference: three decimals with a sign and without the leading zero.

    >>> signed(0.0417), signed(-0.0417), signed(-0.0001)
    ('+.042', '-.042', '.000')
    """
    text = f"{value:+.3f}"
    return text[0] + text[1:].removeprefix("0") if float(text) else ".000"


def deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; None for fewer than two values.

    `statistics.stdev` calculates with fractions, which takes a third of the time of a long table.

    >>> deviation([0.5, 0.5]), deviation([0.5])
    (0.0, None)
    """
    if len(values) < 2:
        return None
    mean = fmean(values)
    return sqrt(fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def mean_and_deviation(values: Sequence[float]) -> str:
    """`.612 ± .010`; the value alone for one seed; a dash for none.

    >>> mean_and_deviation([0.60, 0.62])
    '.610 ± .014'
    """
    if not values:
        return NONE
    mean = short(fmean(values))
    spread = deviation(values)
    return mean if spread is None else f"{mean} ± {short(spread)}"


def metric_title(metric: str) -> str:
    """The usual spelling of a metric's name.

    >>> metric_title("prec@200"), metric_title("map@all"), metric_title("ndcg@10")
    ('Prec@200', 'mAP@all', 'nDCG@10')
    """
    for name, title in (("map", "mAP"), ("ndcg", "nDCG")):
        if metric.startswith(name):
            return title + metric.removeprefix(name)
    return metric[:1].upper() + metric[1:]


def span(values: Sequence[float]) -> str:
    """`.912 to .934`, or one number if all print alike.

    >>> span([0.934, 0.912])
    '.912 to .934'
    """
    low, high = short(min(values)), short(max(values))
    return low if low == high else f"{low} to {high}"


def duration(seconds: float) -> str:
    """A readable time.

    >>> duration(4.25), duration(399.1), duration(7320)
    ('4.2 s', '6 min 39 s', '2 h 2 min')
    """
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if minutes < _MINUTE:
        return f"{minutes} min {rest} s"
    return f"{minutes // _MINUTE} h {minutes % _MINUTE} min"
