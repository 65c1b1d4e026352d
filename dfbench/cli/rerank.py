"""`--rerank` of `dfbench evaluate` and `query`: second rankings, reported after the plain one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dfbench.cli.options import plugin_options
from dfbench.cli.request_options import request_option
from dfbench.errors import DfbenchError
from dfbench.plugins.info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.request import Limits, RerankOptions

if TYPE_CHECKING:
    from dfbench.evaluation.harness import OutsideMetrics
    from dfbench.process.reranking import Reranked
    from dfbench.reporting.tables.layout import Layout
    from dfbench.retrieval import RerankStage

Command = Callable[..., Any]
TRANSDUCTIVE = "transductive: uses all photos of the gallery at once"
"""The mark of re-ranked scores."""


def rerank_options(command: Command) -> Command:
    """Add `--rerank`, the limits of its process, and the options of plugins."""
    rerank = request_option(
        RerankOptions,
        "rerank",
        help="Also score a re-ranking, which uses all photos of the gallery at once: NAME or "
        "NAME:KEY=VALUE,... (see: dfbench list rerankers). May be repeated.",
    )
    return rerank(rerank_limits(plugin_options(command)))


def rerank_limits(command: Command) -> Command:
    """Add the limits of a re-ranker's process."""
    memory = request_option(
        Limits, "memory_limit", help="Stop a re-ranking that uses more memory than this."
    )
    return request_option(Limits, "rerank_timeout")(memory(command))


def rerank_stage(
    text: str, plugins: PluginSources, *, rerank_timeout: float, memory_limit: float | None
) -> RerankStage:
    """The re-ranker of a query. Raises `DfbenchError` for a wrong name or wrong settings."""
    from dfbench.process.launch import described_rerankers
    from dfbench.retrieval import RerankStage

    (found,) = described_rerankers([text], plugins)
    limits = Limits(rerank_timeout=rerank_timeout, memory_limit=memory_limit)
    return RerankStage(found, plugins, limits)


@dataclass(frozen=True)
class RerankChoice:
    """The re-rankers of a command, found among the plugins."""

    rerankers: tuple[RerankerInfo, ...]
    plugins: PluginSources
    limits: Limits

    @classmethod
    def of(
        cls,
        plugins: PluginSources,
        *,
        rerank: tuple[str, ...],
        rerank_timeout: float,
        memory_limit: float | None,
    ) -> RerankChoice:
        """What the options of `rerank_options` say. Raises `DfbenchError` for a wrong name."""
        limits = Limits(rerank_timeout=rerank_timeout, memory_limit=memory_limit)
        if not rerank:
            return cls((), plugins, limits)
        from dfbench.process.launch import described_rerankers

        return cls(tuple(described_rerankers(rerank, plugins)), plugins, limits)

    def evaluated(
        self,
        *sides: Any,
        outside: Callable[[], AbstractContextManager[OutsideMetrics]] | None,
        **options: Any,
    ) -> RerankedResults:
        """The re-rankings of queries and gallery; arguments are those of `evaluate_models`."""
        results: dict[str, Reranked | DfbenchError] = {}
        for one in self.rerankers:
            try:
                with nullcontext() if outside is None else outside() as apart:
                    results[one.label] = self._reranked(one, *sides, outside=apart, **options)
            except DfbenchError as fault:
                results[one.label] = fault
        return RerankedResults(results)

    def _reranked(
        self, one: RerankerInfo, *sides: Any, similarity: str, **options: Any
    ) -> Reranked:
        # Imported here so that `dfbench --help` does not import torch.
        import torch

        from dfbench.evaluation.given_scores import GivenScores
        from dfbench.process.reranking import rerank
        from dfbench.process.supervision import Supervision
        from dfbench.system.machine import available_cores

        queries, gallery = (torch.as_tensor(side).float().numpy() for side in sides[:2])
        return rerank(
            one,
            queries,
            gallery,
            GivenScores(*sides, similarity=similarity, **options),
            similarity=similarity,
            plugins=self.plugins,
            threads=available_cores(),
            supervision=Supervision(self.limits),
        )


@dataclass(frozen=True)
class RerankedResults:
    """Re-rankings by label; one that failed has its error."""

    results: dict[str, Reranked | DfbenchError]

    @property
    def document(self) -> dict[str, Any]:
        """For JSON: `reranked`, if any re-ranking was asked for."""
        if not self.results:
            return {}
        return {"reranked": {label: _document(one) for label, one in self.results.items()}}

    @property
    def layouts(self) -> list[Layout]:
        """A table of each re-ranking that succeeded."""
        return [
            _layout(label, one)
            for label, one in self.results.items()
            if not isinstance(one, DfbenchError)
        ]

    @property
    def metric_faults(self) -> list[str]:
        """Errors of metrics of plugins."""
        return [
            fault
            for one in self.results.values()
            if not isinstance(one, DfbenchError)
            for fault in one.evaluation.faults.values()
        ]

    def raise_fault(self) -> None:
        """Raise the error of the first re-ranking that failed, if any did."""
        for one in self.results.values():
            if isinstance(one, DfbenchError):
                raise one


def _layout(label: str, one: Reranked) -> Layout:
    """Scores like those of the plain ranking; rows of a data frame name the re-ranker."""
    from dfbench.reporting.tables.layout import Typed
    from dfbench.reporting.tables.score_tables import score_table

    plain = score_table(one.evaluation)
    named = {"reranker": Typed(label, "string")}
    return replace(
        plain,
        title=f"re-ranked by {label} ({TRANSDUCTIVE})",
        notes=(one.reranker.definition, *plain.notes),
        fields=lambda: [{**fields, **named} for fields in plain.fields()],
    )


def _document(one: Reranked | DfbenchError) -> dict[str, Any]:
    from dfbench.evaluation.report import as_document

    if isinstance(one, DfbenchError):
        return {"error": str(one)}
    return {
        "reranker": one.reranker.model_dump(mode="json", exclude={"changed"}),
        "transductive": True,
        "seconds": one.facts.seconds,
        "peak_memory_mib": one.facts.peak_memory_mib,
        **as_document(one.evaluation),
    }
