"""Metrics of plugins, each computed in a process of its own from the ranked relevance alone.

Such a process receives the tie groups and ranks of the relevant photos: no image, embedding, class
or name. What it returns is checked here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor

from dfbench.errors import DfbenchError, PluginFault, ProcessEnded
from dfbench.evaluation.definitions import Metric
from dfbench.evaluation.ranking.groups import PositiveRanks, Ranked, TieGroups
from dfbench.plugins.metrics import MetricOffer
from dfbench.process.launch import call
from dfbench.process.supervision import Supervision
from dfbench.request import Limits

METRIC_SECONDS = 300.0
"""Time limit of a metric for one ranking."""
VALUES_FILE = "values.safetensors"
_TOLERANCE = 1e-9
_GROUPS = ("above", "positives_above", "size", "positives", "lengths", "relevant")
_PLACES = ("rank", "lengths", "relevant")


class ScoringJob(BaseModel):
    """A metric to be computed for ranked batches in files."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    metric: MetricOffer
    batches: list[Path]


class MetricsApart:
    """The metrics of plugins for one ranking, whose batches are kept in a folder until the end."""

    def __init__(self, offers: Mapping[str, MetricOffer], folder: Path) -> None:
        self._offers = offers
        self._folder = folder
        self._files: list[Path] = []
        self._queries = 0

    def keep(self, ranked: Ranked) -> None:
        """Add a batch of the ranking."""
        file = self._folder / f"ranked-{len(self._files)}.safetensors"
        tensors = {f"groups.{name}": getattr(ranked.groups, name) for name in _GROUPS}
        tensors["groups.n_photos"] = torch.tensor(ranked.groups.n_photos)
        if ranked.ordered is not None:
            tensors |= {f"places.{name}": getattr(ranked.ordered, name) for name in _PLACES}
        # Tensors of the two views may share memory, which the format does not allow.
        save_file({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, file)
        self._files.append(file)
        self._queries += len(ranked.rows)

    def values(self, metric: Metric) -> NDArray[np.float64]:
        """`[Q]`, the values of a metric for the queries in the order in which they were kept.

        Raises `PluginFault`, naming the metric and its plugin, if it fails or takes too long.
        """
        offer = self._offers[metric.name]
        folder = self._folder / f"metric-{list(self._offers).index(metric.name)}"
        job = ScoringJob(metric=offer, batches=self._files)
        try:
            call("score", job, folder, Supervision(Limits(timeout=METRIC_SECONDS)))
            values = load_arrays(folder / VALUES_FILE)["values"]
        except PluginFault:
            raise
        except ProcessEnded as fault:
            raise PluginFault(f"{offer}: {fault.reason}") from fault
        except (DfbenchError, OSError, SafetensorError, KeyError) as fault:
            raise PluginFault(f"{offer}: {fault}") from fault
        error = value_error(torch.from_numpy(values), self._queries)
        if error:
            raise PluginFault(f"{offer}: {error}")
        return values.astype(np.float64).clip(0, 1)


@contextmanager
def metrics_apart(offers: Mapping[str, MetricOffer]) -> Iterator[MetricsApart]:
    """The metrics of plugins for one ranking; their files are removed when the block ends."""
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        yield MetricsApart(offers, Path(folder))


def read_ranked(file: Path) -> Ranked:
    """A batch that was kept in a file."""
    tensors = load_file(file)
    photos = int(tensors["groups.n_photos"])
    views: dict[str, Any] = {name: tensors[f"groups.{name}"] for name in _GROUPS}
    groups = TieGroups(**views, n_photos=photos)
    ordered = None
    if "places.rank" in tensors:
        views = {name: tensors[f"places.{name}"] for name in _PLACES}
        ordered = PositiveRanks(**views)
    return Ranked(torch.arange(len(groups.lengths)), groups, ordered)


def value_error(values: object, queries: int) -> str | None:
    """Why the values that a metric returned for some queries cannot be used; None if they can."""
    if not isinstance(values, Tensor):
        return f"it returned {type(values).__name__}; allowed: a tensor, one value per query"
    if list(values.shape) != [queries]:
        return f"it returned shape {list(values.shape)} for {queries} queries; allowed: [{queries}]"
    if not values.is_floating_point():
        return f"it returned {values.dtype}; allowed: floating point"
    wrong = ~values.isfinite()
    if bool(wrong.any()):
        return f"it returned NaN or infinity for {int(wrong.sum())} of {queries} queries"
    outside = (values < -_TOLERANCE) | (values > 1 + _TOLERANCE)
    if bool(outside.any()):
        return f"it returned {float(values[outside][0]):g}; allowed: values from 0 to 1"
    return None
