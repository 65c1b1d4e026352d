"""Files that are either whole or absent: written to a temporary name, then renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dfbench.errors import DfbenchError


class DiskFull(DfbenchError):
    """No space is left where something had to be written."""


def no_space(target: Path) -> DiskFull:
    """The error for a file that finds no room."""
    return DiskFull(
        f"no space left to write {target.name} in {target.parent}; "
        "free some space or choose another folder, then repeat the same command"
    )


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its name when the block ends without error.

    The folder is made if needed. On an error the temporary file goes and `target` stays as it
    was. Raises `DiskFull` when no space is left.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(target)
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(target) from fault
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, content: Any) -> None:
    """Write `content` as readable JSON, sorted keys, atomically."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with atomic_path(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
