"""Identities and seeds: hashes of canonical JSON and of names, the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b, sha256
from typing import Any


def canonical_json(content: Any) -> str:
    """JSON with sorted keys and no spaces: equal contents give equal texts.

    >>> canonical_json({"b": 1, "a": [1.5, "x"]})
    '{"a":[1.5,"x"],"b":1}'
    """
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def identify(kind: str, version: int, content: Mapping[str, Any]) -> str:
    """32 hex digits (BLAKE2b) that identify some content; `version` changes with its meaning."""
    text = canonical_json({"kind": kind, "version": version, "content": content})
    return blake2b(text.encode(), digest_size=16).hexdigest()


def derive_seed(*parts: str | int) -> int:
    """A seed in [0, 2^63) from the parts of a name, the same on every machine.

    >>> derive_seed("teacher", "photo", 0) == derive_seed("teacher", "photo", 0)
    True
    >>> derive_seed("teacher", "photo", 0) == derive_seed("teacher", "photo", 1)
    False
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1
