"""`dfbench`: the command group, and the place where errors become exit statuses."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping, Set
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click
from click.exceptions import NoArgsIsHelpError

from dfbench.errors import DfbenchError
from dfbench.system.console import error, note
from dfbench.system.file_errors import told_faults
from dfbench.system.streams import Output, ReaderGone, prepare_streams, release_streams
from dfbench.version import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""Exit status after Ctrl-C, as in shells."""
UNREAD = 141
"""Exit status when the reader closes the output early, as in shells."""
_COLLECTED_AFTER = 20_000
"""New objects between two garbage collections: importing a command makes over ten thousand."""


_COMMANDS = {
    "run": ("run:run", "Train and evaluate one method."),
    "watch": (
        "watch:watch",
        "Show the training curves of RUN until it ends, or all curves of a finished run.",
    ),
    "suite": (
        "suite:suite_group",
        "Run a grid of methods, datasets, scenarios and seeds from a TOML file.",
    ),
    "table": ("table:table", "Compare methods by mean and standard deviation over seeds."),
    "compare": (
        "compare:compare",
        "Compare methods A and B; without arguments, make all comparisons of the results page.",
    ),
    "plot": (
        "plot:plot_group",
        "Draw figures of finished runs as PNG, PDF or SVG, according to the file name.",
    ),
    "report": (
        "report:report",
        "Make a static site of all results that opens in any browser, without a server.",
    ),
    "list": ("lists:list_group", "List plugins and what they offer."),
    "describe": ("lists:describe", "Show a method's settings (for --set), variants and needs."),
    "check": (
        "check:check",
        "Check that a plugin follows the benchmark's rules: the conformance kit.",
    ),
    "new": ("new:new_group", "Write a small, tested plugin package to start from."),
    "export": ("export:export", "Export the encoders of a finished run."),
    "query": (
        "query:query",
        "Rank your own photos for a sketch, with the encoders of a finished run.",
    ),
    "draw": (
        "draw:draw",
        "Draw a sketch in the browser and see the nearest of your photos after every stroke.",
    ),
    "evaluate": (
        "evaluate:evaluate",
        "Score the ranking of photos for sketch queries, under any convention in use.",
    ),
    "rescore": (
        "rescore:rescore",
        "Add metrics to the records of finished runs, from their stored embeddings.",
    ),
    "submit": (
        "submit:submit",
        "Verify records made elsewhere, and add those without problems to a results folder.",
    ),
    "data": ("data:data_group", "Fetch, verify and prepare the images of a dataset."),
    "teachers": ("teachers:teachers_group", "Train, inspect and import teachers."),
    "doctor": (
        "doctor:doctor",
        "Show versions, devices, folders, datasets and plugins, and what is wrong with them.",
    ),
    "clean": (
        "clean:clean",
        "List what is in the cache and the runs folder; with --delete, delete some of it.",
    ),
    "completion": (
        "completion:completion",
        "Print the completion script of SHELL: bash, zsh or fish.",
    ),
}
"""Module and name of each command in `dfbench.cli`, and the first sentence of its help."""


class _Commands(MutableMapping[str, click.Command]):
    """The commands by name, each imported when it is first asked for."""

    def __init__(self) -> None:
        self._imported: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._imported:
            module, attribute = _COMMANDS[name][0].split(":")
            self[name] = getattr(import_module(f"dfbench.cli.{module}"), attribute)
        return self._imported[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._imported[name] = command

    def __delitem__(self, name: str) -> None:
        del self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in _COMMANDS


class _App(click.RichGroup):
    """The group of all commands; its help and the completion of their names import none of them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()

    def get_help(self, ctx: click.Context) -> str:
        told = {
            name: click.RichCommand(name=name, short_help=text)
            for name, (_, text) in _COMMANDS.items()
        }
        with self._with(told, ctx) as context:
            return context.command.get_help(context)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        told = {
            name: click.RichCommand(name=name, help=text) for name, (_, text) in _COMMANDS.items()
        }
        with self._with(told, ctx) as context:
            return context.command.shell_complete(context, incomplete)

    def _with(self, told: Mapping[str, click.RichCommand], ctx: click.Context) -> click.RichContext:
        """The context of a group like this one with these commands."""
        group = click.RichGroup(
            name=self.name, commands={**told}, help=self.help, params=self.params
        )
        return click.RichContext(
            group, info_name=ctx.info_name, parent=ctx.parent, **self.context_settings
        )


@click.group(cls=_App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dfbench")
def app() -> None:
    """Benchmark of data-free sketch-based image retrieval.

    A method turns two frozen classifiers, one of photos and one of sketches, into a photo and a
    sketch encoder with a shared embedding space, without training images.
    """


def main() -> None:
    """Entry point: a user error is one line and exit status 2, never a traceback."""
    gc.set_threshold(_COLLECTED_AFTER, *gc.get_threshold()[1:])
    prepare_streams()
    before = set(threading.enumerate())
    try:
        with told_faults():
            status = app.main(standalone_mode=False)
            Output().flush()
    except DfbenchError as fault:
        error(str(fault))
        status = 2
    except click.UsageError as fault:
        status = _refused(fault)
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


def _refused(fault: click.UsageError) -> int:
    """Print a wrong command line in one line, or the help of a group without a command."""
    if isinstance(fault, NoArgsIsHelpError) or fault.ctx is None:
        with suppress(OSError):  # standard error may be unwritable; the status remains
            fault.show()
    else:
        text = " ".join(fault.format_message().split())
        see = f"(see: {fault.ctx.command_path} --help)"
        error(f"{text[:1].lower()}{text[1:].removesuffix('.')} {see}")
    return fault.exit_code


def _leave(status: int, before: Set[threading.Thread]) -> NoReturn:
    """End the process without waiting for threads that a plugin left running."""
    left = [t.name for t in set(threading.enumerate()) - before if not t.daemon]
    if left:
        note(f"not waiting for threads that a plugin left running: {', '.join(sorted(left))}")
        release_streams()
        os._exit(status)
    # Else Python looks for garbage among all objects of all modules, which end with the process.
    gc.freeze()
    sys.exit(status)
