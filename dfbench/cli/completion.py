"""`dfbench completion`: the script with which a shell completes commands, options and names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from dfbench.cli.completion_names import FILE, CompletionNames, dataset_names, stored_names
from dfbench.cli.options import plugin_options, plugin_sources
from dfbench.cli.parameters import Choice
from dfbench.cli.request_options import cache_option
from dfbench.errors import DfbenchError
from dfbench.system.console import note, write

if TYPE_CHECKING:
    from dfbench.plugins.host import PluginHost

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_DFBENCH_COMPLETE"
_NO_SPACE = """
# No space after a setting, whose value follows, and after folder: .
_dfbench_no_space() {
    _dfbench_completion "$@"
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace
    return 0
}
complete -o nosort -F _dfbench_no_space dfbench
"""


@click.command()
@click.argument("shell", type=Choice(_SHELLS))
@cache_option
@plugin_options
def completion(
    *, shell: str, cache: Path, plugin_files: tuple[Path, ...], plugins_dir: Path | None
) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    It completes commands, options, methods with their variants, datasets, settings (--set) and
    runs. Names are read from the plugins now and kept in the cache folder; repeat the command
    after installing a plugin.

    \b
    bash   eval "$(dfbench completion bash)"     in ~/.bashrc
    zsh    eval "$(dfbench completion zsh)"      in ~/.zshrc, after compinit
    fish   dfbench completion fish > ~/.config/fish/completions/dfbench.fish
    """  # noqa: D301  # click keeps the lines after a backspace as they are
    from click.shell_completion import get_completion_class

    from dfbench.plugins.host import PluginHost

    _keep_names(PluginHost.of(plugin_sources(plugin_files, plugins_dir)), cache)
    kind = get_completion_class(shell)
    if kind is None:
        raise RuntimeError(f"click has no completion for {shell}")
    made = kind(click.Command("dfbench"), {}, "dfbench", _VARIABLE)
    # Not made.source(), which starts bash to look at its version.
    script = made.source_template % made.source_vars()
    write(script + (_NO_SPACE if shell == "bash" else "\n"))


def _keep_names(host: PluginHost, cache: Path) -> None:
    """Write the names of the plugins unless those of the same plugins are there."""
    from dfbench.system.files import atomic_path

    plugins = tuple((one.origin, one.version, _changed(one.file)) for one in host.plugins)
    stored = stored_names(cache)
    if stored is not None and stored.plugins == plugins:
        return
    names = _asked(host, plugins)
    with atomic_path(cache / FILE) as temporary:
        temporary.write_text(names.model_dump_json(), encoding="utf-8")


def _changed(file: Path | None) -> float:
    return 0.0 if file is None or not file.is_file() else file.stat().st_mtime


def _asked(host: PluginHost, plugins: tuple[tuple[str, str, float], ...]) -> CompletionNames:
    from dfbench.budget import Budget
    from dfbench.planning.methods import method_class
    from dfbench.teachers.recipe import TeacherRecipe

    variants: dict[str, tuple[str, ...]] = {}
    settings: dict[str, tuple[str, ...]] = {}
    for name in host.methods:
        try:
            method, _ = method_class(host, name)
        except DfbenchError as fault:
            note(f"cannot complete variants and settings of {name!r}: {fault}")
            continue
        variants[name] = tuple(method.variants)
        settings[name] = tuple(method.Config.model_fields)
    shared = [f"budget.{key}" for key in Budget.model_fields]
    shared += [f"teachers.{key}" for key in TeacherRecipe.model_fields]
    return CompletionNames(
        plugins=plugins,
        variants=dict.fromkeys(host.methods, ()) | variants,
        settings=settings,
        shared=tuple(shared),
        datasets=tuple(dataset_names(host)),
    )
