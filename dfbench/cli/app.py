"""`dfbench`: the group of verbs, and the one place that turns errors into exit statuses."""

from __future__ import annotations

import sys

import rich_click as click

import dfbench
from dfbench.cli.compare import compare
from dfbench.cli.data import data_group
from dfbench.cli.describe import describe
from dfbench.cli.evaluate import evaluate
from dfbench.cli.lists import list_group
from dfbench.cli.run import run
from dfbench.cli.suite import suite_group
from dfbench.cli.table import table
from dfbench.console import error
from dfbench.errors import DfbenchError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(dfbench.__version__, prog_name="dfbench")
def app() -> None:
    """Benchmark of data-free sketch-based image retrieval.

    Two classifiers, one of photos, one of sketches; no training images. Which method makes the
    better pair of encoders?
    """


for verb in (run, suite_group, table, compare, list_group, describe, evaluate, data_group):
    app.add_command(verb)


def main() -> None:
    """Entry point: a user's mistake is one line and status 2, never a traceback."""
    try:
        status = app.main(standalone_mode=False)
    except DfbenchError as fault:
        error(str(fault))
        status = 2
    except click.ClickException as fault:
        fault.show()
        status = fault.exit_code
    except (KeyboardInterrupt, click.Abort):
        error(
            "interrupted; trained teachers and checkpoints are kept: the same command goes on "
            "from there"
        )
        status = INTERRUPTED
    sys.exit(status if isinstance(status, int) else 0)
