"""The identities of fits, records and re-rankings: hashes of everything that changes a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dfbench.budget import Budget
from dfbench.identity import identify
from dfbench.modality import MODALITIES, Modality
from dfbench.need import Need
from dfbench.plugins.info import MethodInfo, RerankerInfo
from dfbench.records.record import Record
from dfbench.version import METRIC_VERSION

FIT_VERSION = 1
"""Increased when the core may fit the same plan differently."""

_INPUTS_NOT_RECORDED = (Need.ALTERNATIVE_DATA, Need.GENERATED_PAIRS)
"""Needs whose images enter the identity of a fit, and are not in its record."""


def fit_identity(
    *,
    method: MethodInfo,
    budget: Budget,
    fingerprint: str,
    scenario: str,
    teachers: Mapping[Modality, str],
    supplies: Mapping[str, str],
    seed: int,
    numerics: str,
    unseen: Sequence[str] = (),
    plugin_networks: Mapping[str, Any] | None = None,
) -> str:
    """Identity of a fit: everything that determines the encoders.

    `fingerprint` is the dataset's; `teachers` and `supplies` are the identities of networks and
    images that the method uses; `unseen` are the classes of the test images if no teacher knows
    them; `plugin_networks` are the identities of networks that are not built in.
    """
    content: dict[str, Any] = {
        "method": method.name,
        "method version": method.version,
        "config": method.config,
        "budget": budget.model_dump(mode="json"),
        "dataset": fingerprint,
        "scenario": scenario,
        "teachers": {modality: teachers[modality] for modality in MODALITIES},
        "supplies": dict(supplies),
        "seed": seed,
        "numerics": numerics,
    }
    if unseen:
        content["unseen"] = unseen
    if plugin_networks:
        content["plugin networks"] = dict(plugin_networks)
    return identify("fit", FIT_VERSION, content)


def evaluation_identity(fit_id: str) -> str:
    """Identity of a record: the fit and the version of the metrics."""
    return identify("evaluation", METRIC_VERSION, {"fit": fit_id})


def reranking_identity(fit_id: str, reranker: RerankerInfo) -> str:
    """Identity of a re-ranking: the fit, the re-ranker, and the version of the metrics."""
    content = {
        "fit": fit_id,
        "reranker": reranker.name,
        "reranker version": reranker.version,
        "config": reranker.config,
    }
    return identify("re-ranking", METRIC_VERSION, content)


def recorded_fit_identity(record: Record) -> str | None:
    """The identity of a record's fit, computed from its content.

    None if the fit had inputs that a record lacks: alternative images, the pairs of another run, or
    networks of plugins.
    """
    if record.plugin_networks or any(need in record.method.needs for need in _INPUTS_NOT_RECORDED):
        return None
    return fit_identity(
        method=record.method,
        budget=record.budget,
        fingerprint=record.data.fingerprint,
        scenario=record.scenario,
        teachers={modality: record.teachers[modality].identity for modality in MODALITIES},
        supplies={name: supply.identity for name, supply in record.supplies.items()},
        seed=record.seed,
        numerics=record.numerics,
        unseen=record.division.unseen if record.division is not None else (),
    )
