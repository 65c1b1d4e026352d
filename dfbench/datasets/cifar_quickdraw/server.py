"""Resumable download of the beginning of a file."""

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
    """The version of a file on a server; bytes of different versions are never combined."""

    version: str
    """The server's ETag, else its Last-Modified date, else empty."""
    length: int | None
    """Size of the whole file in bytes; None if the server does not report it."""


class PartialFile:
    """The bytes downloaded so far, in a hidden file next to `target`, and their edition."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.part")
        self._note = target.with_name(f".{target.name}.part.json")
        self.edition = self._noted()
        if self.edition is None:
            self.drop()

    @property
    def size(self) -> int:
        """Number of bytes downloaded."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, edition: Edition) -> None:
        """Discard all bytes and record the edition of those to come."""
        self.drop()
        write_json(self._note, asdict(edition))
        self.edition = edition

    def append(self, chunks: Iterable[bytes]) -> None:
        """Append bytes as they arrive. Raises `FileFault` if they cannot be written."""
        with writing(self.target):
            file = self.path.open("ab")
        with file:
            for chunk in chunks:  # outside `writing`, so that server errors are not file errors
                with writing(self.target):
                    file.write(chunk)
                    file.flush()

    def drop(self) -> None:
        """Remove the bytes and their edition."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.edition = None

    def _noted(self) -> Edition | None:
        try:
            return Edition(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            # Without their edition, the bytes cannot be continued.
            return None


_TRIES = 5
"""Consecutive requests without new bytes before giving up."""
_BUSY = (429, 500, 502, 503, 504)
_TIMEOUT = (15.0, 60.0)
"""Seconds to connect, and between two pieces of a response."""
_CHUNK = 1 << 16
_WHOLE, _PART, _NO_SUCH_PART = 200, 206, 416


class FetchFault(DfbenchError):
    """A server cannot be reached, or does not send the requested file."""


class Server:
    """Fetches files by range requests over a persistent connection.

    `pause` is the number of seconds before the first retry; it doubles with every retry. Proxies
    and certificates come from the environment, as usual for `requests`.
    """

    def __init__(self, pause: float = 1.0) -> None:
        self._pause = pause
        self._session = requests.Session()
        retry = Retry(
            total=None,
            connect=0,  # `pull` retries lost connections and resumes the download
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

        `advance` is called with the number of bytes received (negative for bytes discarded). If
        the server does not support ranges, the file is read from its start until `end`. If the
        file has changed on the server, the bytes received so far are discarded. Raises
        `FetchFault`.
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
        """Send one request; returns the reason if it ended early, else an empty string."""
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
    """The innermost cause of a `requests` exception, on one line."""
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
            f"{answer.url} responds with {answer.status_code} {answer.reason}; {_by_hand(partial)}"
        )
    if not kept:
        advance(-have)
        partial.begin(edition)
    if kept or not have or answer.status_code == _WHOLE:
        partial.append(_pieces(answer, stop - partial.size, advance))


def _part(answer: requests.Response, have: int, end: int) -> tuple[int, Edition]:
    """End offset and edition of the part in a response."""
    given = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", given)
    if found is None or int(found[1]) != have:
        raise FetchFault(
            f"{answer.url} sends {given or 'an unnamed part'!r} of the file instead of bytes "
            f"{have} to {end - 1}: the server or a proxy is faulty; try again later"
        )
    length = None if found[3] == "*" else int(found[3])
    return min(int(found[2]) + 1, end), Edition(_version(answer), length)


def _version(answer: requests.Response) -> str:
    return answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""


def _length(answer: requests.Response) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _pieces(answer: requests.Response, room: int, advance: Advance) -> Iterator[bytes]:
    """At most `room` bytes of a response's body, as they arrive."""
    # Not iter_content, which would decompress a gzip file.
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
    kept = f"; {partial.size} bytes received and kept" if partial.size else ""
    return FetchFault(
        f"{url} cannot be fetched ({reason or 'empty response'}){kept}: repeat the same "
        f"command to resume, or {_by_hand(partial)}"
    )


def _by_hand(partial: PartialFile) -> str:
    return f"download the file manually to '{partial.target}'"
