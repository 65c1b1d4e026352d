"""Guards for running a plugin's code in this process: exceptions, output and global state.

Used for the plugin that a command needs. Other plugins are never imported here: each is probed in a
separate process (`dfbench.plugins.probe`).
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

from dfbench.errors import DfbenchError, InvalidInput, PluginFault

IMPORT_SECONDS = 120.0
"""Time limit for importing a plugin: importing torch from a cold network disk takes a minute."""
_CORE = Path(__file__).parent
_PLUGGY = Path(pluggy.__file__).parent
_STDOUT, _STDERR = 1, 2
_STREAMS = ("stdin", "stdout", "stderr", "excepthook", "displayhook")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class PluginExit(Exception):
    """Raised in place of a `BaseException` from plugin code: `SystemExit`, a skipped test, etc."""


@contextmanager
def plugin_faults() -> Iterator[None]:
    """Turn any exception of a plugin that is not an `Exception` into a `PluginExit`.

    Exceptions defined by dfbench pass through, as does `KeyboardInterrupt` after a real SIGINT.
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
    """Run a plugin's code without side effects on the rest of this process.

    Its standard output, including that of its child processes, goes to standard error. Afterwards
    the working folder, umask, locale, standard streams and signal handlers are restored, and a
    lowered recursion limit and warnings turned into errors are undone. Raises the same exceptions
    as `plugin_faults`, and `TimeoutError` if the code takes longer than `seconds`.
    """
    with _results_kept(), _state_kept(), plugin_faults(), _time_limit(seconds):
        yield


def load_target(target: str, file: Path | None = None) -> Any:
    """The object that a `"module:attribute"` target names; a plugin's `file` is imported first."""
    module, _, attribute = target.partition(":")
    if file is not None:
        import_file(file)
    found: Any = import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def folder_of(target: str, file: Path | None = None) -> Path:
    """The folder that `"module:folder"` names; the folder of a plugin's `file`, if it is one.

    The module is not imported. Raises `PluginFault` if there is no such folder.
    """
    module, _, name = target.partition(":")
    if file is None:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):  # no such package around it
            spec = None
        file = Path(spec.origin) if spec is not None and spec.origin is not None else None
    if file is None or not (file.parent / name).is_dir():
        raise PluginFault(f"teachers={target!r} names no folder; allowed: 'module:folder'")
    return file.parent / name


def import_file(file: Path) -> ModuleType:
    """The module of a plugin file, imported once, under the file's name.

    Raises `InvalidInput` if the file cannot be a plugin or another module has its name, and any
    exception that the file raises.
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
    """The type and text of an exception in one line, with the line number of a syntax error."""
    if isinstance(fault, DfbenchError | PluginExit):
        return str(fault)
    try:
        text = " ".join(str(fault).split())
    except Exception as other:  # noqa: BLE001  # a plugin's exception may have any __str__
        text = f"(printing it raised {type(other).__name__})"
    return f"{type(fault).__name__}: {text}" if text else type(fault).__name__


def fault_place(fault: BaseException) -> str | None:
    """`FILE:LINE` of a plugin's error: the innermost line outside dfbench and pluggy."""
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
    """Redirect a file descriptor to standard error."""
    try:
        os.dup2(_STDERR, descriptor)
    except OSError:  # standard error is closed too: discard the output
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _check_module_name(name: str, file: Path) -> None:
    """Refuse names that would shadow another module or be shadowed by one."""
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
    """A SIGINT handler that records whether the signal arrived."""

    def __init__(self, *, came: bool = False) -> None:
        self.came = came

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.default_int_handler(number, frame)


@contextmanager
def _noted_interrupt() -> Iterator[_Interrupt]:
    """Record whether Ctrl-C was pressed; assume so if the caller has its own handler."""
    if threading.current_thread() is not threading.main_thread():
        yield _Interrupt()  # Python raises KeyboardInterrupt in the main thread only
        return
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Interrupt):
        yield handler
        return
    if handler is not signal.default_int_handler:
        yield _Interrupt(came=callable(handler))  # an ignored signal never arrives
        return
    interrupt = _Interrupt()
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _results_kept() -> Iterator[None]:
    """Redirect standard output to standard error, both the stream and the descriptor."""
    stream = sys.stdout
    try:
        kept = os.dup(_STDOUT)
    except OSError:
        kept = None  # the parent process closed it
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
    """Handlers that Python can restore; none outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    return {number: handler for number, handler in found.items() if handler is not None}


def _working_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  # a string for os.chdir
    except OSError:
        return None  # the folder was removed and cannot be restored


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeoutError` in the main thread after `seconds`, and again every second."""
    main = threading.current_thread() is threading.main_thread()
    if seconds is None or not main or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def late(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise TimeoutError(f"not finished after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
