"""Describing the methods and datasets of plugins, in a separate process; imports torch."""

from __future__ import annotations

import torch

from dfbench.errors import DfbenchError, InvalidInput, PluginFault
from dfbench.networks.backbones.registry import builder
from dfbench.planning.methods import resolve
from dfbench.plugins.host import PluginHost
from dfbench.plugins.method_info import MethodInfo
from dfbench.process.messages import (
    DatasetAnswer,
    DatasetOffer,
    Description,
    Fault,
    MethodAnswer,
    MethodQuestion,
    PluginQuestion,
)


def describe(question: PluginQuestion) -> Description:
    """Answer a question; an unavailable method or dataset has an error as its own answer.

    Raises `PluginFault` for a plugin file that cannot be loaded and `InvalidInput` for a device
    that does not exist.
    """
    # Only the plugins that the user named are loaded here; those that were merely found are not.
    host = PluginHost.of(question.plugins, here=question.plugins.named)
    host.require(question.plugins.files, question.plugins.classes)
    return Description(
        rows=tuple(_row_answer(host, asked) for asked in question.rows),
        datasets={name: _dataset_answer(host, name) for name in question.datasets},
        networks={
            name: fault for name in question.networks if (fault := _network_fault(name)) is not None
        },
        device=_device(question.device),
        gpus=torch.cuda.device_count(),
    )


def _network_fault(name: str) -> Fault | None:
    try:
        builder(name)
    except DfbenchError as fault:
        return _fault(fault)
    return None


def _row_answer(host: PluginHost, asked: MethodQuestion) -> MethodAnswer:
    try:
        row = resolve(host, asked.label, asked.settings)[0]
        beside = row.beside if asked.beside else ()
        rows = (*(resolve(host, label, {})[0] for label in beside), row)
        return MethodAnswer(rows=rows, sources=_sources(host, rows))
    except DfbenchError as fault:
        return MethodAnswer(fault=_fault(fault))


def _sources(host: PluginHost, rows: tuple[MethodInfo, ...]) -> dict[str, MethodInfo]:
    sources = {
        row.pairs_of: resolve(host, row.pairs_of, {})[0] for row in rows if row.pairs_of is not None
    }
    for label, source in sources.items():
        if source.pairs_of is not None:
            raise PluginFault(
                f"method {label!r}, whose pairs are needed, itself needs those of "
                f"{source.pairs_of!r}; allowed: a method that generates its own"
            )
    return sources


def _dataset_answer(host: PluginHost, name: str) -> DatasetAnswer:
    try:
        found = host.dataset(name)
    except DfbenchError as fault:
        return DatasetAnswer(fault=_fault(fault))
    offer = DatasetOffer(
        name=name,
        target=found.spec.target,
        argument=found.spec.argument,
        file=found.plugin.file,
    )
    return DatasetAnswer(offer=offer)


def _fault(error: DfbenchError) -> Fault:
    return Fault(message=str(error), of_plugin=isinstance(error, PluginFault))


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            "--device cuda, but torch sees no CUDA device; allowed here: --device cpu, auto"
        )
    return name
