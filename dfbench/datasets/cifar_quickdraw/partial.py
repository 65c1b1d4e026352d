"""What has arrived of a file from a server: its first bytes, kept from one try to the next."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from dfbench.files import write_json, writing


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
