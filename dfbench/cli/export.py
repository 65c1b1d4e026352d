"""`dfbench export`: the encoders of a finished run as standalone files."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from dfbench.cli.options import format_option, named_run_option, representation_option
from dfbench.cli.parameters import AbsolutePath
from dfbench.cli.request_options import results_option, runs_option
from dfbench.system.console import note, output, print_json


@click.command()
@named_run_option
@representation_option
@click.option(
    "-o",
    "--output",
    "target",
    type=AbsolutePath(),
    metavar="DIR",
    help="Folder to write; default: export-METHOD-sSEED-IDENTITY, with -NAME for a representation.",
)
@click.option("--onnx", is_flag=True, help="Also write photo.onnx and sketch.onnx.")
@click.option(
    "--data-licence",
    "licence",
    metavar="TEXT",
    help="Licence of the images behind the encoders, for the card.",
)
@results_option
@runs_option
@format_option("text", "json")
def export(
    *,
    named: str,
    representation: str,
    target: Path | None,
    onnx: bool,
    licence: str | None,
    results: Path,
    runs: Path,
    form: str,
) -> None:
    """Export the encoders of a finished run.

    Writes a folder of safetensors files and a card: classes, sizes, metrics and data licence, in
    card.json and, in the format of the Hugging Face hub, in README.md. `dfbench.load` reads the
    folder without the plugin, the dataset or the teachers.
    """
    from dfbench.retrieval import export as write_export
    from dfbench.retrieval import find_run

    run = find_run(named, results, runs)
    name = f"export-{run.folder.name.removeprefix('export-')}"
    folder = target or Path(f"{name}-{representation}" if representation else name)
    written = write_export(run, folder, representation=representation, onnx=onnx, licence=licence)
    if form == "json":
        print_json(written.card.model_dump(mode="json"))
    else:
        for file in written.files:
            output().print(str(file), markup=False)
    if written.card.data_licence is None:
        note("the card names no data licence: add it with --data-licence TEXT")
