"""The folders of a run, which most commands read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from dfbench.defaults import chosen_cache
from dfbench.request.option import Option, OptionModel
from dfbench.request.values import Location
from dfbench.system.files import absolute

AbsolutePath = Annotated[Path, AfterValidator(absolute)]
"""A path made absolute, so that it stays valid if the process changes its folder."""


class Places(OptionModel):
    """The folders a run reads and writes."""

    results: Annotated[
        AbsolutePath, Option(Location(), "Folder of records (small JSON files, meant for git).")
    ] = Field(Path("results"), validate_default=True)
    runs: Annotated[
        AbsolutePath, Option(Location(), "Folder of encoders, embeddings and pictures.")
    ] = Field(Path("runs"), validate_default=True)
    cache: Annotated[
        AbsolutePath,
        Option(
            Location(),
            "Folder of decoded images and trained teachers; default: the user's cache folder.",
            environment="DFBENCH_CACHE",
        ),
    ] = Field(default_factory=chosen_cache)
    log_dir: Annotated[
        AbsolutePath | None,
        Option(
            Location(),
            "Also write training curves and generated pairs of each run to a folder in DIR for "
            "TensorBoard while it trains (extra: tensorboard). See also: dfbench watch.",
            metavar="DIR",
        ),
    ] = None
