"""Metrics and re-rankers of plugins, computed in a process of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from dfbench.errors import DfbenchError, PluginFault
from dfbench.evaluation.definitions import view
from dfbench.evaluation.ranking.similarity import full_precision
from dfbench.numerics import pin_numerics
from dfbench.plugins.code import describe_fault, plugin_code, plugin_faults
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import RerankerInfo
from dfbench.process.folder import JOB_FILE
from dfbench.process.messages import Outcome, RerankFacts, RerankJob
from dfbench.process.metrics import VALUES_FILE, ScoringJob, read_ranked, value_error
from dfbench.process.reranking import GALLERY_FILE, QUERIES_FILE, blocks, hand_over
from dfbench.system.machine import peak_memory_mib
from dfbench.worker.rerankers import rebuilt_reranker


def score(folder: Path) -> Outcome:
    """Compute the metric of a job for all batches.

    Raises `PluginFault`, naming the metric and its plugin, if it fails or returns something else
    than one value per query.
    """
    job = ScoringJob.model_validate_json((folder / JOB_FILE).read_text())
    offer, found = job.metric, []
    function, spec = offer.load(), offer.spec
    for file in job.batches:
        ranked = read_ranked(file)
        try:
            with plugin_code():
                values = function(view(spec, ranked), **offer.parameters)
        except Exception as fault:  # a plugin may raise anything
            raise PluginFault(f"{offer} raised {describe_fault(fault)}") from fault
        error = value_error(values, len(ranked.rows))
        if error:
            raise PluginFault(f"{offer}: {error}")
        found.append(values.detach().double().cpu())
    save_file({"values": torch.cat(found)}, folder / VALUES_FILE)
    return Outcome()


def rerank(folder: Path) -> Outcome:
    """Score the gallery of a job for all its queries. Raises `DfbenchError`."""
    job = RerankJob.model_validate_json((folder / JOB_FILE).read_text())
    info = job.reranker
    # Only the re-ranker's plugin and those that the user named; those merely found are left out.
    sources = replace(job.plugins, only=(info.plugin,))
    host = PluginHost.of(sources, here={info.plugin, *sources.named})
    reranker = rebuilt_reranker(host, info)
    pin_numerics(job.threads, seed=0)
    queries, gallery = (np.load(folder / name) for name in (QUERIES_FILE, GALLERY_FILE))
    started = time.monotonic()
    given = torch.from_numpy(gallery.copy())
    with full_precision(torch.device("cpu")):
        with _faults_told(info, "prepare()"):
            reranker.prepare(given, job.similarity)
        for number, (start, stop) in enumerate(blocks(len(queries), len(gallery))):
            block = torch.from_numpy(queries[start:stop].copy())
            with _faults_told(info, "scores()"):
                found = as_array(reranker.scores(block))
            _check_unchanged(info, "queries", block, queries[start:stop])
            hand_over(folder, number, found)
    _check_unchanged(info, "gallery", given, gallery)
    seconds = round(time.monotonic() - started, 2)
    facts = RerankFacts(seconds=seconds, peak_memory_mib=float(peak_memory_mib()))
    return Outcome(reranked=facts)


def as_array(found: object) -> NDArray[np.generic]:
    """What a re-ranker returned, as an array. Raises `PluginFault` unless it is a tensor."""
    if not isinstance(found, Tensor):
        raise PluginFault(f"returned a {type(found).__name__}; allowed: a tensor [B, G]")
    detached = found.detach().cpu()
    if detached.is_floating_point():
        detached = detached.float()
    array: NDArray[np.generic] = detached.numpy()
    return array


def _check_unchanged(
    info: RerankerInfo, name: str, given: Tensor, stored: NDArray[np.float32]
) -> None:
    if not np.array_equal(given.numpy(), stored):
        raise PluginFault(
            f"re-ranker {info.label!r} of plugin {info.plugin!r} changed the embeddings of the "
            f"{name}; allowed: reading them, or changing a copy (.clone())"
        )


@contextmanager
def _faults_told(info: RerankerInfo, call: str) -> Iterator[None]:
    whose = f"re-ranker {info.label!r} of plugin {info.plugin!r} {info.plugin_version}: {call}"
    try:
        with plugin_faults():
            yield
    except PluginFault as fault:
        raise PluginFault(f"{whose} {fault}") from fault
    except DfbenchError:
        raise
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(f"{whose} raised {describe_fault(fault)}") from fault
