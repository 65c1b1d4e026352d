"""`dfbench data prepare`: decode and resize a dataset's images before any run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import (
    cache_option,
    data_root_option,
    format_option,
    plugin_options,
    plugin_sources,
)
from dfbench.cli.request_options import request_options
from dfbench.plugins.sources import PluginSources
from dfbench.request import DataOptions, read_options
from dfbench.system.console import note, output, print_json

if TYPE_CHECKING:
    from dfbench.datasets.dataset import Dataset
    from dfbench.process.messages import DatasetOffer


@click.command()
@click.argument("dataset")
@request_options(DataOptions, without=("alternative",))
@data_root_option
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Number of decoding processes; default: one per core.",
)
@plugin_options
@cache_option
@format_option("text", "json")
def prepare(
    *,
    processes: int | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    form: str,
    **options: Any,
) -> None:
    """Decode and resize the images of DATASET into the cache, where runs read them.

    A run does this itself if needed. Images are decoded again only if they changed, and an
    interrupted preparation resumes. DATASET is as in dfbench run --dataset.
    """
    from dfbench.planning.datasets import open_choice

    request, _ = read_options(options, plugin_sources(plugin_files, plugins_dir))
    offer = _offer(request.data.kind, request.plugins)
    opened = open_choice(request.data, offer, request.places.cache, processes)
    for line in opened.notes:
        note(line)
    content = _content(opened)
    if form == "json":
        print_json(content)
    else:
        photos, sketches = content["images"]["photo"], content["images"]["sketch"]
        output().print(
            f"{content['dataset']}: {photos} photos and {sketches} sketches of "
            f"{len(opened.classes) + len(opened.alternative_classes)} classes are ready at "
            f"{opened.image_size} px",
            markup=False,
        )


def _offer(kind: str, sources: PluginSources) -> DatasetOffer:
    from dfbench.plugins.host import PluginHost
    from dfbench.process.messages import DatasetOffer

    host = PluginHost.of(sources)
    host.require(sources.files)
    found = host.dataset(kind)
    spec = found.spec
    return DatasetOffer(
        name=kind, target=spec.target, argument=spec.argument, file=found.plugin.file
    )


def _content(dataset: Dataset) -> dict[str, Any]:
    from dfbench.modality import MODALITIES

    images = {}
    for modality in MODALITIES:
        sets = (
            dataset.images(modality, "train"),
            dataset.images(modality, "test"),
            dataset.alternative(modality),
        )
        for part in sets:
            part.images[:1]  # a dataset may prepare its images when they are first read
        images[modality] = len({name for part in sets for name in part.names})
    return {
        "dataset": dataset.name,
        "image_size": dataset.image_size,
        "classes": list(dataset.classes),
        "alternative_classes": list(dataset.alternative_classes),
        "images": images,
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
    }
