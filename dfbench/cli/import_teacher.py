"""`dfbench teachers import`: a teacher from the user's own checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from dfbench.cli.options import format_option, plugin_options, plugin_sources
from dfbench.cli.parameters import AbsolutePath, Choice
from dfbench.cli.request_options import cache_option
from dfbench.modality import MODALITIES, Modality
from dfbench.system.console import note, output, print_json

if TYPE_CHECKING:
    from dfbench.teachers.facts import NetworkFacts
    from dfbench.teachers.importing import Measurement


class Values(click.ParamType[tuple[float, ...]]):
    """Numbers separated by commas: `0.485,0.456,0.406`."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """The numbers; fails if one cannot be parsed."""
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(
                f"{value!r}; allowed: comma-separated numbers, e.g. 0.485,0.456,0.406", param, ctx
            )


@click.command("import")
@click.argument("checkpoint", type=AbsolutePath())
@click.option("--modality", type=Choice(MODALITIES), required=True, help="Modality of its images.")
@click.option(
    "--network",
    required=True,
    metavar="N",
    help="resnet18, resnet50, ...: dfbench's version, adapted to the input size; torchvision:NAME "
    "or timm:NAME: the library's version.",
)
@click.option(
    "--classes",
    required=True,
    metavar="LIST",
    help="Class names in the order of the outputs: a file with one name per line, alone or with "
    "its number, or in JSON like class_to_idx; or a,b,c.",
)
@click.option(
    "--mean",
    type=Values(),
    required=True,
    help="Mean per channel, subtracted from images in [0, 1]; ImageNet's is 0.485,0.456,0.406.",
)
@click.option(
    "--std",
    type=Values(),
    required=True,
    help="Standard deviation per channel, the divisor; ImageNet's is 0.229,0.224,0.225.",
)
@click.option(
    "--input-size",
    type=int,
    required=True,
    metavar="PX",
    help="Height and width of its training images; other images are resized to this size.",
)
@click.option(
    "--entry",
    metavar="NAME",
    help="Entry of the file to load, e.g. model_ema; default: the one that fits the network.",
)
@click.option(
    "--images",
    type=AbsolutePath(),
    help="Folder of held-out images, <class>/*, on which to measure the accuracy.",
)
@click.option(
    "--output",
    "target",
    type=AbsolutePath(dir_okay=False),
    help="File to write; default: a file in the cache, named by identity.",
)
@plugin_options
@cache_option
@format_option("text", "json")
def import_teacher(
    *,
    checkpoint: Path,
    modality: Modality,
    network: str,
    classes: str,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    input_size: int,
    entry: str | None,
    images: Path | None,
    target: Path | None,
    plugin_files: tuple[Path, ...],
    plugins_dir: Path | None,
    cache: Path,
    form: str,
) -> None:
    """Import CHECKPOINT, a file of weights, as a teacher.

    Accepts safetensors files and state dicts written by torch.save, also nested in a larger
    checkpoint (`state_dict`, `model_ema`, ...) or with a prefix such as `module.`. No code in the
    file is executed. Names and shapes must match the network.
    """
    from dataclasses import replace

    from dfbench.plugins.networks import register_networks
    from dfbench.system.files import check_writable
    from dfbench.teachers.class_list import (
        TeacherDescription,
        channel_values,
        checked_size,
        class_list,
    )
    from dfbench.teachers.identities import network_file
    from dfbench.teachers.importing import imported_teacher, measured
    from dfbench.teachers.stored import save_tensors

    said = TeacherDescription(
        modality=modality,
        network=network,
        classes=class_list(classes),
        mean=channel_values("mean", mean),
        std=channel_values("std", std),
        image_size=checked_size(input_size),
    )
    networks = cache / "teachers"
    check_writable(target or network_file(networks, "0" * 32))
    register_networks([network], plugin_sources(plugin_files, plugins_dir))
    teacher, facts = imported_teacher(checkpoint, said, entry)
    measurement = None if images is None else measured(teacher, images)
    if measurement is not None:
        facts = replace(facts, accuracy=measurement.accuracy)
    file = target or network_file(networks, facts.identity)
    save_tensors(file, teacher.network.state_dict(), facts)
    _tell(facts, measurement, file, form)


def _tell(facts: NetworkFacts, measurement: Measurement | None, file: Path, form: str) -> None:
    if measurement is not None and measurement.unknown:
        note(f"folders of classes unknown to the teacher: {', '.join(measurement.unknown)}")
    if measurement is not None and measurement.no_better_than_chance:
        note(
            f"no better than chance on these {measurement.images} images: check the order of "
            "--classes, --mean, --std and --input-size"
        )
    if form == "json":
        print_json(
            {
                "identity": facts.identity,
                "file": str(file),
                "classes": list(facts.classes),
                "accuracy": facts.accuracy,
                "images": None if measurement is None else measurement.images,
            }
        )
        return
    from dfbench.reporting.cells import short

    accuracy = "not measured (see: --images)"
    if measurement is not None:
        accuracy = f"{short(measurement.accuracy)} on {measurement.images} images"
        accuracy += f" of {measurement.classes} classes"
    lines = (
        f"{facts.modality} teacher {facts.identity[:12]}: {facts.network}, "
        f"{len(facts.classes)} classes, {facts.image_size} px; accuracy {accuracy}",
        f"file: {file}",
        f"use it: dfbench run --{facts.modality}-teacher {facts.identity[:12]} ..."
        if file.stem == facts.identity
        else f"use it: dfbench run --{facts.modality}-teacher {file} ...",
    )
    for line in lines:
        output().print(line, markup=False)
