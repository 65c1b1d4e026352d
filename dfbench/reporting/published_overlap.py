"""Published results under partial class overlap, as read from a figure."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class PublishedOverlap:
    """The bars of one figure."""

    source: str
    method: str
    overlaps: tuple[float, ...]
    bars: dict[str, tuple[float, ...]]
    """mAP@all by dataset, one value an overlap."""
    reading_error: float
    """Either way, of a value read from pixels."""

    def of(self, dataset: str) -> PublishedOverlap:
        """The bars of a dataset alone, or all where it has none: then they show the shape."""
        own = {dataset: self.bars[dataset]} if dataset in self.bars else self.bars
        return PublishedOverlap(self.source, self.method, self.overlaps, own, self.reading_error)


@cache
def published_overlap() -> PublishedOverlap:
    """The bars of Chaudhuri et al. 2023."""
    file = files("dfbench_benchmarks") / "reported" / "overlap" / "chaudhuri2023.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    return PublishedOverlap(
        source=content["source"],
        method=content["method"],
        overlaps=tuple(content["overlap"]),
        bars={name: tuple(values) for name, values in content["bars"].items()},
        reading_error=content["reading_error"],
    )
