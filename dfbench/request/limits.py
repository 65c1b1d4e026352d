"""Limits of the processes of a run: time, memory, and what a killed one loses."""

from __future__ import annotations

from typing import Annotated

from dfbench.request.option import Option, OptionModel
from dfbench.request.values import Amount, Duration


class Limits(OptionModel):
    """Limits of the processes of a run; none of them affects a score."""

    timeout: Annotated[
        float | None,
        Option(Duration(), "Time limit of a fit, in seconds or e.g. 30m.", metavar="TIME"),
    ] = None
    rerank_timeout: Annotated[
        float,
        Option(
            Duration(),
            "Time limit of one re-ranking, in seconds or e.g. 30m; a re-ranking that exceeds it is "
            "stopped, and all other scores are kept.",
            metavar="TIME",
        ),
    ] = 3600.0
    memory_limit: Annotated[
        float | None,
        Option(
            Amount(),
            "Stop a fit or a re-ranking whose process uses more memory than this.",
            metavar="GIB",
        ),
    ] = None
    checkpoint_seconds: Annotated[
        float,
        Option(
            Amount(zero=True),
            "Time between checkpoints: a killed run loses at most this.",
            metavar="SECONDS",
        ),
    ] = 30.0
