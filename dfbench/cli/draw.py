"""`dfbench draw`: a local page for drawing a sketch and viewing the nearest photos."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path

import rich_click as click

from dfbench.cli.options import (
    approximate_option,
    device_option,
    gallery_option,
    named_run_option,
    note_left_out,
    representation_option,
)
from dfbench.cli.request_options import cache_option, results_option, runs_option
from dfbench.system.console import note, output


@click.command()
@named_run_option
@representation_option
@gallery_option
@click.option(
    "-k",
    "count",
    type=click.IntRange(1, 200),
    default=20,
    show_default=True,
    metavar="N",
    help="How many photos to show.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="P",
    help="Port of the page; default: a free one.",
)
@click.option("--no-browser", is_flag=True, help="Print the link without opening a browser.")
@approximate_option
@device_option
@results_option
@runs_option
@cache_option
def draw(
    *,
    named: str,
    representation: str,
    gallery: Path,
    count: int,
    port: int,
    no_browser: bool,
    approximate: bool,
    device: str,
    results: Path,
    runs: Path,
    cache: Path,
) -> None:
    """Draw a sketch in the browser and see the nearest of your photos after every stroke.

    The page is served to this machine only, until you press Ctrl-C.
    """
    from dfbench.drawing import DrawServer, PhotoSearch
    from dfbench.retrieval import find_run, load, open_gallery
    from dfbench.retrieval.approximate import check_installed, open_index

    if approximate:
        check_installed()
    model = load(
        find_run(named, results, runs).folder, device=device, representation=representation
    )
    photos = open_gallery(gallery, model, cache)
    note_left_out(photos.left_out)
    index = open_index(photos, model.about.similarity) if approximate else None
    with DrawServer(PhotoSearch(model, photos, count, index), port) as server:
        output().print(server.url, markup=False, soft_wrap=True)
        output().file.flush()
        note(f"{len(photos)} photos; press Ctrl-C to stop")
        if not no_browser:
            threading.Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            note("stopped")
