"""Running a plugin's code in this process: its faults, its output and what it alters.

Used for the plugin that a command is about. Other plugins never get into this process: they are
asked in processes of their own (`plugin_probe`).
"""

from __future__ import annotations

import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType
from typing import Any

import pluggy

from dfbench.errors import DfbenchError, InvalidInput

IMPORT_SECONDS = 120.0
"""Wall time that the import of a plugin may take: torch from a cold network disk needs a minute."""
_CORE = Path(__file__).parent
_PLUGGY = Path(pluggy.__file__).parent
_STDOUT, _STDERR = 1, 2
_STREAMS = ("stdin", "stdout", "stderr", "excepthook", "displayhook")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class PluginExit(Exception):
    """What plugin code raised that is no `Exception`: `SystemExit`, a skipped test, and so on."""


@contextmanager
def plugin_faults() -> Iterator[None]:
    """Let a plugin raise nothing but an `Exception`; anything else becomes a `PluginExit`.

    Exceptions that dfbench defines pass, and so does `KeyboardInterrupt` after a real SIGINT.
    """
    with _noted_interrupt() as interrupt:
        try:
            yield
        except Exception:
            raise
        except BaseException as fault:
            own = type(fault).__module__.partition(".")[0] == "dfbench"
            if own or (isinstance(fault, KeyboardInterrupt) and interrupt.came):
                raise
            raise PluginExit(describe_fault(fault)) from fault


@contextmanager
def plugin_code(seconds: float | None = None) -> Iterator[None]:
    """Run a plugin's code so that it does no harm to what comes after it in this process.

    Whatever it writes to standard output, by a process that it starts too, goes to standard error.
    Working folder, umask, locale, standard streams and signal handlers are as before afterwards,
    a lowered recursion limit and warnings turned into errors are undone. Raises as `plugin_faults`
    does, and `TimeoutError` in code that takes longer than `seconds`.
    """
    with _results_kept(), _state_kept(), plugin_faults(), _time_limit(seconds):
        yield


def load_target(target: str, file: Path | None = None) -> Any:
    """The object of a `"module:attribute"` target; `file` is imported first if it is a plugin's."""
    module, _, attribute = target.partition(":")
    if file is not None:
        import_file(file)
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def import_file(file: Path) -> ModuleType:
    """The module of a plugin file, imported once, under the name of the file.

    Raises `InvalidInput` for a file that cannot be a plugin, or whose name is another module's, and
    whatever the file raises.
    """
    if not file.is_file():
        raise InvalidInput(f"no such plugin file: {str(file)!r}")
    name = file.stem
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    _check_module_name(name, file)
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise InvalidInput(f"not a Python file: {str(file)!r}; allowed: NAME.py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def describe_fault(fault: BaseException) -> str:
    """One line: kind and text of an exception, with the line of a syntax error."""
    if isinstance(fault, DfbenchError | PluginExit):
        return str(fault)
    try:
        text = " ".join(str(fault).split())
    except Exception as other:  # noqa: BLE001  # a plugin's exception may have any __str__
        text = f"(printing it raised {type(other).__name__})"
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__


def fault_place(fault: BaseException) -> str | None:
    """`FILE:LINE` at which a plugin went wrong: the innermost line outside of dfbench."""
    if isinstance(fault, PluginExit) and fault.__cause__ is not None:
        fault = fault.__cause__
    if isinstance(fault, SyntaxError) and fault.filename:
        return f"{fault.filename}:{fault.lineno or 1}"
    found = None
    for frame, line in walk_tb(fault.__traceback__):
        file = Path(frame.f_code.co_filename)
        if file.is_file() and not (file.is_relative_to(_CORE) or file.is_relative_to(_PLUGGY)):
            found = f"{file}:{line}"
    return found


def lead_to_standard_error(descriptor: int) -> None:
    """Let a descriptor be another one of standard error."""
    try:
        os.dup2(_STDERR, descriptor)
    except OSError:  # closed too: then what a plugin writes goes nowhere
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _check_module_name(name: str, file: Path) -> None:
    """Refuse names under which another module would be hidden, or this one not be found."""
    if set(name) & set(".:"):
        raise InvalidInput(f"plugin file {str(file)!r}; allowed: a name without dots and colons")
    if name in sys.modules:
        raise InvalidInput(f"a module named {name!r} is already loaded; rename {str(file)!r}")
    if name in sys.stdlib_module_names:
        raise InvalidInput(f"Python has a module named {name!r}; rename {str(file)!r}")
    other = find_spec(name)
    if other and other.origin and Path(other.origin).resolve() != file.resolve():
        raise InvalidInput(f"a module named {name!r} is installed; rename {str(file)!r}")


class _Interrupt:
    """A handler of SIGINT that knows whether the signal came."""

    def __init__(self, *, came: bool = False) -> None:
        self.came = came

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.default_int_handler(number, frame)


@contextmanager
def _noted_interrupt() -> Iterator[_Interrupt]:
    """Tells whether Ctrl-C came; under a handler of the caller's own it is assumed."""
    if threading.current_thread() is not threading.main_thread():
        yield _Interrupt()  # Python raises the interrupt of a signal in the main thread only
        return
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Interrupt):
        yield handler
        return
    if handler is not signal.default_int_handler:
        yield _Interrupt(came=callable(handler))  # an ignored signal never comes
        return
    interrupt = _Interrupt()
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _results_kept() -> Iterator[None]:
    """Lead standard output to standard error, as a stream and as a descriptor."""
    stream = sys.stdout
    try:
        kept = os.dup(_STDOUT)
    except OSError:
        kept = None  # it was closed by whoever started this process
    if stream is not None:
        stream.flush()
    if kept is not None:
        lead_to_standard_error(_STDOUT)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = stream
        if kept is not None:
            os.dup2(kept, _STDOUT)
            os.close(kept)


@contextmanager
def _state_kept() -> Iterator[None]:
    streams = {name: getattr(sys, name) for name in _STREAMS}
    handlers = _handlers()
    folder, depth, filters = _working_folder(), sys.getrecursionlimit(), list(warnings.filters)
    mask, language = _umask(), locale.setlocale(locale.LC_ALL)
    try:
        yield
    finally:
        sys.setrecursionlimit(max(depth, sys.getrecursionlimit()))
        if folder is not None:
            os.chdir(folder)
        os.umask(mask)
        if locale.setlocale(locale.LC_ALL) != language:
            locale.setlocale(locale.LC_ALL, language)
        for name, value in streams.items():
            setattr(sys, name, value)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        kept = [one for one in warnings.filters if one[0] != "error" or one in filters]
        warnings.filters[:] = kept  # type: ignore[index]  # a list, declared as a sequence


def _handlers() -> dict[signal.Signals, Any]:
    """Handlers that Python can set again; in another thread it can set none."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    return {number: handler for number, handler in found.items() if handler is not None}


def _working_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  # as text, to go back to
    except OSError:
        return None  # it was removed, and there is no way back


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeoutError` in the main thread after so many seconds, and every second after it."""
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def late(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
