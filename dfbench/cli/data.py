"""`dfbench data`: fetch, verify and prepare the files of a dataset."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.completers import complete_dataset
from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.parameters import Choice
from dfbench.cli.request_options import (
    cache_option,
    data_root_option,
    request_option,
    request_options,
)
from dfbench.datasets.split import HoldoutName
from dfbench.defaults import data_root_or_configured
from dfbench.errors import unknown_name
from dfbench.plugins.sources import PluginSources
from dfbench.request import DataOptions, read_options
from dfbench.system.console import note, output, print_json

if TYPE_CHECKING:
    from dfbench.datasets.condition.condition import Condition, Looks
    from dfbench.datasets.dataset import Dataset, DatasetRequest
    from dfbench.process.messages import DatasetOffer


@click.command()
@click.argument("dataset", shell_complete=complete_dataset)
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
    from dfbench.planning.data import open_choice

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


_FOLDER = "folder"
_FETCHED = "cifar-quickdraw"


@click.group("data")
def data_group() -> None:
    """Fetch, verify and prepare the images of a dataset."""


data_group.add_command(prepare)


@data_group.command()
@click.argument("dataset", shell_complete=complete_dataset)
@data_root_option
@cache_option
def fetch(*, dataset: str, data_root: Path | None, cache: Path) -> None:
    """Download the missing files of DATASET (cifar-quickdraw).

    They are stored in the data root if one is set, else in the cache folder. Existing files
    are verified and kept. After a broken connection, repeat the command to resume.
    """
    from dfbench.datasets.cifar_quickdraw.fetching import fetch as fetched
    from dfbench.datasets.cifar_quickdraw.server import Server
    from dfbench.datasets.cifar_quickdraw.source import home_folder, published

    if dataset != _FETCHED:
        raise unknown_name(
            "dataset to fetch",
            dataset,
            (_FETCHED,),
            "dfbench data verify NAME shows where to download the others",
        )
    home = home_folder(data_root_or_configured(data_root), _images(cache))
    came = fetched(published(), home, Server())
    titles = ", ".join(piece.title for piece in came)
    note(f"fetched into '{home}': {titles}" if came else f"all files are already in '{home}'")


@data_group.command()
@click.argument("dataset", shell_complete=complete_dataset)
@data_root_option
@cache_option
@request_option(
    DataOptions, "classes", help="Classes, separated by commas; all: those found on disk."
)
@click.option(
    "--holdout",
    type=Choice(["fifth", "literature"]),
    default="fifth",
    show_default=True,
    help="Hold-out rule for which there must be enough images.",
)
@request_option(DataOptions, "duplicate_photos")
@click.option("--decode", is_flag=True, help="Decode every image, to find truncated files.")
@click.option("--duplicates", is_flag=True, help="Compare contents, to find identical files.")
@format_option("text", "json")
def verify(
    *,
    dataset: str,
    data_root: Path | None,
    cache: Path,
    classes: tuple[str, ...] | None,
    holdout: HoldoutName,
    duplicate_photos: bool,
    decode: bool,
    duplicates: bool,
    form: str,
) -> None:
    """Report which files of DATASET are present and what is wrong with them.

    DATASET is a published dataset, cifar-quickdraw or folder:PATH. Exit status: 0 if `dfbench run`
    can use it as it is, 1 if not, 2 for an unknown dataset, folder, class or option, or if none of
    the dataset's files are found.
    """
    from dfbench.datasets.condition.condition import Looks
    from dfbench.datasets.dataset import DatasetRequest
    from dfbench.reporting.tables.condition import condition_content, condition_layouts
    from dfbench.reporting.tables.printing import print_layouts

    name, _, argument = dataset.partition(":")
    request = DatasetRequest(
        cache=_images(cache),
        argument=argument or None,
        classes=classes,
        root=data_root_or_configured(data_root),
        holdout=holdout,
        duplicate_photos=duplicate_photos,
    )
    condition = _condition(name, request, Looks(decode, duplicates))
    if form == "json":
        print_json(condition_content(condition))
    else:
        print_layouts(condition_layouts(condition), form)
    sys.exit(0 if condition.usable else 1)


def _images(cache: Path) -> Path:
    """The image cache that runs use."""
    return cache / "images"


def _condition(name: str, request: DatasetRequest, looks: Looks) -> Condition:
    from dfbench.datasets.condition.condition import examined
    from dfbench.datasets.known import VARIANTS

    if name == _FOLDER:
        from dfbench.datasets.condition.folders import folder_holding

        return examined(folder_holding(request), looks)
    if name == _FETCHED:
        from dfbench.datasets.cifar_quickdraw.source import published
        from dfbench.datasets.condition.cifar_quickdraw import fetched_condition

        return fetched_condition(published(), request, looks)
    if name not in VARIANTS:
        names = (*VARIANTS, _FETCHED, f"{_FOLDER}:PATH")
        raise unknown_name("dataset on disk", name, names, "dfbench list datasets")
    from dfbench.datasets.condition.folders import known_holding

    return examined(known_holding(name, request), looks)
