"""Standard output and error that may be full, closed, unread, or limited in encoding."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from dfbench.errors import DfbenchError

_PLAIN = "dfbench.plain"
"""Name of the error handler that replaces characters an encoding lacks by ASCII."""
_SPELLINGS = {
    "±": "+-",
    "×": "x",  # noqa: RUF001  # the sign itself is meant
    "−": "-",  # noqa: RUF001  # likewise
    "–": "-",  # noqa: RUF001  # likewise
    "—": "-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "→": "->",
    "…": "...",
    "·": ".",
    "•": "*",
    "‘": "'",  # noqa: RUF001  # likewise
    "’": "'",  # noqa: RUF001  # likewise
    "“": '"',
    "”": '"',
    "\N{NO-BREAK SPACE}": " ",
}


class OutputFault(DfbenchError):
    """Standard output cannot be written."""


class ReaderGone(Exception):
    """Standard output has no reader any more; not an error, and not reported."""


class Output:
    """The current standard output. Raises `OutputFault` and `ReaderGone`."""

    @property
    def _stream(self) -> TextIO:
        return _bare(sys.stdout)

    @property
    def encoding(self) -> str:
        """Name of its encoding."""
        return self._stream.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Its descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text; characters that the encoding lacks are replaced by ASCII."""
        try:
            return self._stream.write(_in(self.encoding, text))
        except OSError as fault:
            raise _told(fault) from fault

    def flush(self) -> None:
        """Flush the buffer."""
        try:
            self._stream.flush()
        except OSError as fault:
            raise _told(fault) from fault


class Messages(Output):
    """The current standard error; a failure to write cannot be reported and is ignored."""

    @property
    def _stream(self) -> TextIO:
        return _bare(sys.stderr)

    def write(self, text: str) -> int:
        """Write text as far as possible."""
        with suppress(OutputFault, ReaderGone):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the buffer as far as possible."""
        with suppress(OutputFault, ReaderGone):
            super().flush()


def printable(text: str) -> str:
    """Text as standard output can show it: characters its encoding lacks become ASCII."""
    return _in(Output().encoding, text)


def prepare_streams() -> None:
    """Make the standard streams safe to write to; called at the start of a process.

    A closed stream is opened on the null device, so that no other file gets its descriptor;
    standard output then still rejects writes. `COLUMNS` is unset unless it is a width.
    """
    for descriptor, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        _occupy(descriptor, mode)
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_PLAIN)
    if not os.environ.get("COLUMNS", "").strip("0").isdigit():
        os.environ.pop("COLUMNS", None)


def release_streams() -> None:
    """Discard output that the standard streams cannot write, so that the process ends silently."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def _occupy(descriptor: int, mode: int) -> None:
    """Open a closed descriptor on the null device, inherited by other processes."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, mode)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _bare(stream: TextIO) -> TextIO:
    """The stream itself, not the proxy that replaces it while a progress bar is shown."""
    bare: TextIO = getattr(stream, "rich_proxied_file", stream)
    return bare


def _told(fault: OSError) -> OutputFault | ReaderGone:
    if isinstance(fault, BrokenPipeError):
        return ReaderGone()
    return OutputFault(
        f"standard output cannot be written ({fault.strerror or fault}); what was computed is "
        "kept: repeat the same command with output to a terminal or a file"
    )


def _in(encoding: str, text: str) -> str:
    return text.encode(encoding, _PLAIN).decode(encoding)


def _spelt(fault: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(fault, UnicodeEncodeError):
        raise fault
    letters = fault.object[fault.start : fault.end]
    return "".join(_SPELLINGS.get(x) or ascii(x)[1:-1] for x in letters), fault.end


codecs.register_error(_PLAIN, _spelt)
