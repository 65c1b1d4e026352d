"""The beginning of a file on a server, fetched so that a broken connection loses nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from dfbench.errors import DfbenchError
from dfbench.system.console import Advance
from dfbench.system.files import write_json, writing


@dataclass(frozen=True)
class Edition:
    """Which contents of a file a server gives out; bytes of two editions are never joined."""

    version: str
    """The server's ETag, else the date of the last change, else empty."""
    length: int | None
    """Of the whole file in bytes; None if the server does not say."""


class PartialFile:
    """The bytes that have arrived, in a hidden file beside `target`, and their edition."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")
        self.edition = self._noted()
        if self.edition is None:
            self.drop()

    @property
    def size(self) -> int:
        """Number of bytes that are there."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, edition: Edition) -> None:
        """Drop what is there and note whose bytes come now."""
        self.drop()
        write_json(self._note, asdict(edition))
        self.edition = edition

    def append(self, chunks: Iterable[bytes]) -> None:
        """Add bytes as they arrive. Raises `FileFault` if that cannot be done."""
        with writing(self.target):
            file = self.path.open("ab")
        with file:
            for chunk in chunks:  # what the server does is none of the disk's business
                with writing(self.target):
                    file.write(chunk)
                    file.flush()

    def drop(self) -> None:
        """Remove it."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.edition = None

    def _noted(self) -> Edition | None:
        try:
            return Edition(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            # Bytes whose edition is unknown cannot be continued, whatever the reason.
            return None


_TRIES = 5
"""Requests in a row that may bring nothing."""
_BUSY = (429, 500, 502, 503, 504)
_TIMEOUT = (15.0, 60.0)
"""Seconds until there is a connection, and between two pieces of an answer."""
_CHUNK = 1 << 16
_WHOLE, _PART, _NO_SUCH_PART = 200, 206, 416


class FetchFault(DfbenchError):
    """A server that cannot be reached, or does not give what it was asked for."""


class Server:
    """Fetches files by range requests over one kept connection.

    `pause` is the number of seconds before a second try; it doubles from try to try. Proxies and
    certificates are taken from the environment, as `requests` does.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self._pause = pause
        self._session = requests.Session()
        retry = Retry(
            total=None,
            connect=0,  # a lost connection is tried again by `pull`, which goes on where it broke
            read=0,
            other=0,
            redirect=5,
            status=_TRIES - 1,
            status_forcelist=_BUSY,
            backoff_factor=pause,
            raise_on_status=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def pull(self, url: str, partial: PartialFile, end: int, advance: Advance) -> None:
        """Continue `partial` until it has `end` bytes, or all of the file if that is shorter.

        `advance` is told of every byte that comes (and, in negative, of those given up). From a
        server that knows no ranges the file is read from its beginning, and left when there is
        enough. Bytes of a file that has changed meanwhile are given up. Raises `FetchFault`.
        """
        tries = 0
        while not _enough(partial, end):
            before = partial.size
            reason = self._try(url, partial, end, advance)
            tries = 0 if partial.size > before else tries + 1
            if tries == _TRIES:
                raise _broken_off(url, partial, reason)
            if reason:
                time.sleep(self._pause * 2 ** max(tries - 1, 0))

    def _try(self, url: str, partial: PartialFile, end: int, advance: Advance) -> str:
        """One request; why it ended early, if it did."""
        headers = {
            "Range": f"bytes={partial.size}-{end - 1}",
            "Accept-Encoding": "identity",  # ranges count the bytes of the file itself
        }
        try:
            with self._session.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
                _take(answer, partial, end, advance)
        except (requests.RequestException, HTTPError) as fault:
            return _reason(fault)
        return ""


def _reason(fault: Exception) -> str:
    """The cause that `requests` wraps twice, on one line."""
    inner = fault.args[0] if fault.args else fault
    return " ".join(str(getattr(inner, "reason", inner)).split())


def _take(answer: requests.Response, partial: PartialFile, end: int, advance: Advance) -> None:
    have = partial.size
    if answer.status_code == _PART:
        stop, edition = _part(answer, have, end)
        kept = edition == partial.edition
    elif answer.status_code == _WHOLE:
        stop, edition, kept = end, Edition(_version(answer), _length(answer)), False
    elif answer.status_code == _NO_SUCH_PART and have:
        stop, edition, kept = 0, Edition("", None), False
    else:
        raise FetchFault(
            f"{answer.url} answers {answer.status_code} {answer.reason}; {_by_hand(partial)}"
        )
    if not kept:
        advance(-have)
        partial.begin(edition)
    if kept or not have or answer.status_code == _WHOLE:
        partial.append(_pieces(answer, stop - partial.size, advance))


def _part(answer: requests.Response, have: int, end: int) -> tuple[int, Edition]:
    """Where the part ends that an answer gives, and of which edition it is."""
    given = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", given)
    if found is None or int(found[1]) != have:
        raise FetchFault(
            f"{answer.url} gives {given or 'an unnamed part'!r} of the file when asked for bytes "
            f"{have} to {end - 1}: something between here and there is broken; try again later"
        )
    length = None if found[3] == "*" else int(found[3])
    return min(int(found[2]) + 1, end), Edition(_version(answer), length)


def _version(answer: requests.Response) -> str:
    return answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""


def _length(answer: requests.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _pieces(answer: requests.Response, room: int, advance: Advance) -> Iterator[bytes]:
    """At most `room` bytes of an answer's body, as they come."""
    # Not iter_content: what calls itself gzip here is a file that has to stay as it is.
    for chunk in answer.raw.stream(_CHUNK, decode_content=False):
        piece = chunk[:room]
        room -= len(piece)
        advance(len(piece))
        yield piece
        if not room:
            return


def _enough(partial: PartialFile, end: int) -> bool:
    known = None if partial.edition is None else partial.edition.length
    return partial.size >= (end if known is None else min(end, known))


def _broken_off(url: str, partial: PartialFile, reason: str) -> FetchFault:
    kept = f"; {partial.size} bytes have come and are kept" if partial.size else ""
    return FetchFault(
        f"{url} cannot be fetched ({reason or 'it answers with nothing'}){kept}: repeat the same "
        f"command to go on, or {_by_hand(partial)}"
    )


def _by_hand(partial: PartialFile) -> str:
    return f"fetch the file in another way and put it there: '{partial.target}'"
