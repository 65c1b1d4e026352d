"""Standard output and error as people have them: full, closed, unread, or of few letters."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from dfbench.errors import DfbenchError

_PLAIN = "dfbench.plain"
"""Name of the error handler that writes what an encoding lacks in ASCII."""
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
    """Standard output that takes nothing."""


class ReaderGone(Exception):
    """Nobody reads standard output any more; no error, and no user sees it."""


class Output:
    """Standard output, whatever it is at the moment. Raises `OutputFault` and `ReaderGone`."""

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
        """Write text; what the encoding lacks is spelt in ASCII."""
        try:
            return self._stream.write(_in(self.encoding, text))
        except OSError as fault:
            raise _told(fault) from fault

    def flush(self) -> None:
        """Hand over what is buffered."""
        try:
            self._stream.flush()
        except OSError as fault:
            raise _told(fault) from fault


class Messages(Output):
    """Standard error, likewise; there is nowhere to say that it takes nothing."""

    @property
    def _stream(self) -> TextIO:
        return _bare(sys.stderr)

    def write(self, text: str) -> int:
        """Write text as far as that is possible."""
        with suppress(OutputFault, ReaderGone):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what is buffered, as far as that is possible."""
        with suppress(OutputFault, ReaderGone):
            super().flush()


def printable(text: str) -> str:
    """Text as standard output can show it: what its encoding lacks is spelt in ASCII."""
    return _in(Output().encoding, text)


def prepare_streams() -> None:
    """Make the standard streams of a process safe to write to; for its start.

    A closed one is opened on nothing, so that no other file gets its descriptor: then standard
    output still refuses what is written. `COLUMNS` goes unless it is a width.
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
    """Drop what the standard streams did not take, so that the process ends without a word."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, stream.fileno())
            os.close(nothing)


def _occupy(descriptor: int, mode: int) -> None:
    """Open a closed descriptor on nothing, in other processes too."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, mode)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _bare(stream: TextIO) -> TextIO:
    """The stream itself, not what stands before it while a progress bar is drawn."""
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
