"""The re-rankers that a user asks for, as a separate process finds them among the plugins."""

from __future__ import annotations

from collections.abc import Sequence

from dfbench.errors import DfbenchError, PluginFault
from dfbench.plugins.reranker_info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.launch import describe
from dfbench.process.messages import PluginQuestion, RerankerAnswer


def described_rerankers(texts: Sequence[str], plugins: PluginSources) -> list[RerankerInfo]:
    """The re-rankers of these texts, which a separate process looks up among the plugins.

    Raises `DfbenchError` for the first that does not exist or refuses its settings.
    """
    question = PluginQuestion(
        methods=(), datasets=(), rerankers=tuple(texts), device="cpu", plugins=plugins
    )
    answers = describe(question).rerankers
    return chosen_rerankers([answers[text] for text in texts])


def chosen_rerankers(answers: Sequence[RerankerAnswer]) -> list[RerankerInfo]:
    """The re-rankers that were found, each once. Raises `DfbenchError` for the first fault."""
    chosen: dict[str, RerankerInfo] = {}
    for answer in answers:
        if answer.fault is not None:
            kind = PluginFault if answer.fault.of_plugin else DfbenchError
            raise kind(answer.fault.message)
        if answer.info is not None:
            chosen.setdefault(answer.info.label, answer.info)
    return list(chosen.values())
