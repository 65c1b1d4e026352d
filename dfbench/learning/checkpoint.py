"""Reliable checkpoints: two generations, with checksums, written atomically."""

from __future__ import annotations

import io
import json
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from dfbench.errors import PluginFault
from dfbench.system.console import note
from dfbench.system.files import atomic_path, write_json, writing

_SUFFIX = ".checkpoint"
_MAGIC = b"DFBCKPT1"
_UNSUPPORTED = re.compile(r"GLOBAL (?P<what>[\w.]+)")
_STEP_SIZE = 8
_DIGEST_SIZE = 16
_HEADER_SIZE = len(_MAGIC) + _STEP_SIZE + _DIGEST_SIZE


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one loop: the latest, and the previous one in case it is damaged."""

    folder: Path
    name: str
    origin: Mapping[str, Any]
    """Values that must be equal for a loop to resume from a checkpoint; stored and compared."""

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Store a state from which the loop resumes at `step`, replacing the older checkpoint.

        The newer one is kept. Raises `FileFault`, `PluginFault` for a state with anything but
        tensors, numbers, strings and containers of these, and `OSError` if the file does not read
        back correctly.
        """
        buffer = io.BytesIO()
        torch.save({"origin": dict(self.origin), "state": dict(state)}, buffer)
        content = buffer.getvalue()
        files = self._by_age()
        if not any(file.exists() for file in files):
            self._check(content)
        with atomic_path(files[-1]) as temporary:
            temporary.write_bytes(
                _MAGIC + step.to_bytes(_STEP_SIZE, "little") + _digest(content) + content
            )
            if _content(temporary) is None:
                raise OSError(f"{files[-1]} was not written correctly: check the disk")

    def save_curves(self, curves: Mapping[str, Any]) -> None:
        """Write the loop's curves next to its checkpoints; they are kept when these are removed."""
        write_json(self.folder / f"{self.name}.curves.json", curves)

    def begin_live(self, loop: str, steps: int, points: Sequence[Mapping[str, Any]]) -> None:
        """Begin the file of curves that grows during training, with the points before a resumption.

        JSON lines: first the loop and its number of steps, then for each step its values by name.
        """
        with atomic_path(self._live) as temporary:
            temporary.write_text(_lines([{"loop": loop, "steps": steps}, *points]), "utf-8")

    def add_live(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Append points to the file that `begin_live` began. Raises `FileFault`."""
        if points:
            with writing(self._live), self._live.open("a", encoding="utf-8") as file:
                file.write(_lines(points))

    @property
    def _live(self) -> Path:
        return self.folder / f"{self.name}.curves.jsonl"

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """Step and state of the newest valid checkpoint; None if there is none.

        Checkpoints that are damaged or of another origin are reported and removed.
        """
        newest = None
        for file in filter(Path.exists, self._by_age()):
            content = _content(file)
            loaded = None if content is None else _loaded(content)
            if loaded is not None and loaded["origin"] == dict(self.origin):
                newest = newest or (_step(file), loaded["state"])
                continue
            fault = "damaged" if loaded is None else "of another run, version or thread count"
            note(f"checkpoint {file} is {fault} and is removed; resuming from an earlier state")
            file.unlink()
        return newest

    def _by_age(self) -> list[Path]:
        """Both files, the newer first; a missing or invalid file counts as the oldest."""
        files = [self.folder / f"{self.name}.{slot}{_SUFFIX}" for slot in "ab"]
        return sorted(files, key=_step, reverse=True)

    def _check(self, content: bytes) -> None:
        try:
            _unpickled(content)
        except pickle.UnpicklingError as fault:
            found = _UNSUPPORTED.search(str(fault))
            what = found["what"] if found else "an object of another kind"
            raise PluginFault(
                f"the state of loop {self.name!r} contains {what}; allowed: tensors, numbers, "
                "strings and containers of these"
            ) from fault


def _lines(points: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(point, allow_nan=False)}\n" for point in points)


def drop_checkpoints(folder: Path) -> None:
    """Remove the checkpoints in a folder of loops, and keep their curves."""
    for file in folder.glob(f"*{_SUFFIX}"):
        file.unlink()


def _step(file: Path) -> int:
    """The step in a file's header; -1 if it has none."""
    try:
        with file.open("rb") as stream:
            header = stream.read(len(_MAGIC) + _STEP_SIZE)
    except FileNotFoundError:
        return -1
    if not header.startswith(_MAGIC):
        return -1
    return int.from_bytes(header[len(_MAGIC) :], "little")


def _content(file: Path) -> bytes | None:
    """The content of a file after its header; None if it is damaged."""
    stored = file.read_bytes()
    content = stored[_HEADER_SIZE:]
    digest = stored[_HEADER_SIZE - _DIGEST_SIZE : _HEADER_SIZE]
    return content if stored.startswith(_MAGIC) and digest == _digest(content) else None


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST_SIZE).digest()


def _loaded(content: bytes) -> dict[str, Any] | None:
    try:
        return _unpickled(content)
    except pickle.UnpicklingError:
        return None


def _unpickled(content: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return loaded
