"""`dfbench`: the command group, and the place where errors become exit statuses."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Set
from contextlib import suppress
from typing import NoReturn

import rich_click as click

from dfbench.cli.check import check
from dfbench.cli.compare import compare
from dfbench.cli.completion import completion
from dfbench.cli.data import data_group
from dfbench.cli.doctor import doctor
from dfbench.cli.draw import draw
from dfbench.cli.evaluate import evaluate
from dfbench.cli.export import export
from dfbench.cli.lists import describe, list_group
from dfbench.cli.new import new_group
from dfbench.cli.plot import plot_group
from dfbench.cli.query import query
from dfbench.cli.report import report
from dfbench.cli.rescore import rescore
from dfbench.cli.run import run
from dfbench.cli.suite import suite_group
from dfbench.cli.table import table
from dfbench.cli.teachers import teachers_group
from dfbench.errors import DfbenchError
from dfbench.system.console import error, note
from dfbench.system.file_errors import told_faults
from dfbench.system.streams import Output, ReaderGone, prepare_streams, release_streams
from dfbench.version import __version__

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""
UNREAD = 141
"""Exit status when the reader closes the output early, as in shells."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dfbench")
def app() -> None:
    """Benchmark of data-free sketch-based image retrieval.

    A method turns two frozen classifiers, one of photos and one of sketches, into a photo and a
    sketch encoder with a shared embedding space, without training images.
    """


for verb in (
    run,
    suite_group,
    table,
    compare,
    plot_group,
    report,
    list_group,
    describe,
    check,
    new_group,
    export,
    query,
    draw,
    evaluate,
    rescore,
    data_group,
    teachers_group,
    doctor,
    completion,
):
    app.add_command(verb)


def main() -> None:
    """Entry point: a user error is one line and exit status 2, never a traceback."""
    prepare_streams()
    before = set(threading.enumerate())
    try:
        with told_faults():
            status = app.main(standalone_mode=False)
            Output().flush()
    except DfbenchError as fault:
        error(str(fault))
        status = 2
    except click.ClickException as fault:
        with suppress(OSError):  # standard error may be unwritable; the status remains
            fault.show()
        status = fault.exit_code
    except (KeyboardInterrupt, click.Abort):
        error(
            "interrupted; trained teachers and checkpoints are kept: repeat the same command to "
            "resume"
        )
        status = INTERRUPTED
    except (ReaderGone, BrokenPipeError):
        status = UNREAD
    release_streams()
    _leave(status if isinstance(status, int) else 0, before)


def _leave(status: int, before: Set[threading.Thread]) -> NoReturn:
    """End the process without waiting for threads that a plugin left running."""
    left = [t.name for t in set(threading.enumerate()) - before if not t.daemon]
    if left:
        note(f"not waiting for threads that a plugin left running: {', '.join(sorted(left))}")
        release_streams()
        os._exit(status)
    sys.exit(status)
