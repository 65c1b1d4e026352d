"""Probing plugins for what they offer, third-party ones in separate processes.

Importing a plugin may raise anything, exit or crash the process, loop forever, write to standard
output or change global state of the interpreter. Catching exceptions covers only the first case,
and no list of state to restore is complete. A command therefore never imports a plugin that it does
not need. `python -m dfbench.plugins.probe` imports one plugin and returns only data: the specs that
its hooks return, or its error. These processes run in parallel. dfbench's own plugins are
imported directly, so that no process is started if no third-party plugin is installed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from traceback import format_exception
from typing import Any

import pluggy

from dfbench import hookspecs
from dfbench.errors import PluginFault
from dfbench.hookspecs import KINDS, AnySpec, MethodSpec
from dfbench.plugins.code import (
    IMPORT_SECONDS,
    describe_fault,
    fault_place,
    import_file,
    lead_to_standard_error,
    load_target,
    plugin_code,
)
from dfbench.system.console import note
from dfbench.system.machine import available_cores, check_platform

GROUP = "dfbench"
"""The entry-point group of plugins."""
_NOTE_SECONDS = 10.0


@dataclass(frozen=True)
class PluginSource:
    """The import source of a plugin: a file, or the value of an entry point."""

    name: str
    value: str
    file: Path | None = None

    def load(self) -> object:
        """Import the plugin in this process; its exceptions propagate."""
        if self.file is not None:
            return import_file(self.file)
        return EntryPoint(self.name, self.value, GROUP).load()


@dataclass(frozen=True)
class Answer:
    """What a plugin offers, or its error."""

    hooks: tuple[str, ...] = ()
    """The hooks it implements, sorted."""
    specs: Mapping[str, tuple[AnySpec, ...]] = field(default_factory=dict)
    """By kind, as in `dfbench.hookspecs.KINDS`."""
    error: str | None = None
    """One line; None if it works."""
    place: str | None = None
    """`FILE:LINE` of the error; None if it is not in a line of the plugin."""
    traceback: str | None = None


def ask_here(name: str, load: Callable[[], object]) -> Answer:
    """Probe a plugin in this process."""
    return _answered(lambda: _offers(name, load()))


def ask_apart(sources: Sequence[PluginSource], seconds: float = IMPORT_SECONDS) -> list[Answer]:
    """Probe plugins in separate processes, one per core at a time; answers keep their order.

    A process that has not answered after `seconds` is killed, and its plugin counts as broken.
    """
    answers = []
    remaining = iter(sources)
    while some := list(islice(remaining, max(2, available_cores()))):
        probes = [_Probe(source) for source in some]
        try:
            answers += [probe.answer(seconds) for probe in probes]
        finally:
            for probe in probes:
                probe.end()
    return answers


def check_method(spec: MethodSpec, found: object) -> None:
    """Raise `PluginFault` if the object that a spec's target names is not that method."""
    # Method imports torch, so it is not imported here; if it is not loaded, no subclass exists.
    method: Any = sys.modules.get("dfbench.method")
    if method is None or not (isinstance(found, type) and issubclass(found, method.Method)):
        raise PluginFault(f"target {spec.target!r} is not a subclass of dfbench.Method")
    name = getattr(found, "name", None)
    if name != spec.name:
        raise PluginFault(
            f"{spec.target} has the name {name!r} but is registered as {spec.name!r}; use the "
            "same name in both"
        )


def exit_text(status: int) -> str:
    """Text for a process's return code: `exit status 3` or `SIGSEGV`."""
    if status >= 0:
        return f"exit status {status}"
    if -status not in set(signal.Signals):
        return f"signal {-status}"  # real-time signals have no names
    return signal.Signals(-status).name


class _Probe:
    """A process that imports one plugin."""

    def __init__(self, source: PluginSource) -> None:
        check_platform()
        self._source = source
        # A file, because child processes of the plugin would keep a pipe open.
        self._output = TemporaryFile()  # noqa: SIM115  # closed by end()
        self._started = time.monotonic()
        what = ("file", str(source.file)) if source.file else ("entry", source.value)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, source.name, *what],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            process_group=0,
        )

    def answer(self, seconds: float) -> Answer:
        """Its answer, or an error if it dies or takes longer than `seconds`."""
        if not self._ended(min(seconds, _NOTE_SECONDS)):
            note(f"waiting for the import of plugin {self._source.name!r}")
            if not self._ended(seconds):
                return Answer(error=f"its import did not finish within {seconds:g} s")
        self._output.seek(0)
        try:
            return _decoded(json.loads(self._output.read()))
        except (ValueError, TypeError, KeyError, AttributeError, PluginFault):
            status = exit_text(self._process.returncode)
            return Answer(error=f"its process ended without an answer ({status})")

    def end(self) -> None:
        """Kill it and its child processes."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def _ended(self, seconds: float) -> bool:
        try:
            self._process.wait(max(0.0, self._started + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True


def _decoded(content: dict[str, Any]) -> Answer:
    return Answer(
        hooks=tuple(content.pop("hooks")),
        specs={
            kind: tuple(KINDS[kind](**spec) for spec in specs)
            for kind, specs in content.pop("specs").items()
        },
        **content,
    )


def _offers(name: str, module: object) -> Answer:
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name)
    manager.check_pending()
    specs = {
        name: tuple(_specs(getattr(manager.hook, f"{GROUP}_{name}")(), kind))
        for name, kind in KINDS.items()
    }
    hooks = sorted(caller.name for caller in manager.get_hookcallers(module) or ())
    return Answer(tuple(hooks), specs)


def _specs(answers: list[Any], kind: type[AnySpec]) -> Iterator[AnySpec]:
    names = set()
    for spec in (spec for answer in answers for spec in answer):
        if not isinstance(spec, kind):
            raise PluginFault(f"a hook returned {spec!r}; allowed: {kind.__name__} objects")
        if spec.name in names:
            raise PluginFault(f"the name {spec.name!r} is offered twice")
        names.add(spec.name)
        yield spec


def _answered(make: Callable[[], Answer]) -> Answer:
    try:
        with plugin_code(IMPORT_SECONDS):
            return make()
    except Exception as fault:  # noqa: BLE001  # a plugin may raise anything
        error = " ".join(describe_fault(fault).split())
        trace = "".join(format_exception(fault))
        return Answer(error=error, place=fault_place(fault), traceback=trace)


def _with_targets(answer: Answer) -> Answer:
    """The answer, with its targets checked as far as possible without further imports."""
    for spec in (spec for specs in answer.specs.values() for spec in specs):
        module = spec.target.partition(":")[0]
        if module not in sys.modules:
            if find_spec(module) is None:
                raise PluginFault(
                    f"target {spec.target!r} of {spec.name!r}: no module named {module!r}"
                )
        elif isinstance(spec, MethodSpec):
            check_method(spec, load_target(spec.target))
        elif not callable(load_target(spec.target)):
            raise PluginFault(f"target {spec.target!r} of {spec.name!r} is not a function")
    return answer


def _main(name: str, kind: str, value: str) -> None:
    """Import a plugin and write the answer to the original standard output."""
    signal.alarm(round(IMPORT_SECONDS) * 2)  # the parent process may be gone
    # The working folder, for imports of plugins; last, so that its files shadow no module.
    sys.path.append("")
    answers = os.dup(1)
    lead_to_standard_error(1)
    source = PluginSource(name, value, Path(value) if kind == "file" else None)
    answer = ask_here(name, source.load)
    if answer.error is None:
        answer = _answered(lambda: _with_targets(answer))
    with os.fdopen(answers, "w") as file:
        json.dump(asdict(answer), file)
    sys.stderr.flush()
    os._exit(0)  # do not wait for threads and exit handlers of the plugin


if __name__ == "__main__":
    _main(*sys.argv[1:])
