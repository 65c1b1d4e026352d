"""Identities: a hash of canonical JSON that says whether two things are the same thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any


def canonical_json(content: Any) -> str:
    """JSON with sorted keys and no spaces: one text for equal contents.

    >>> canonical_json({"b": 1, "a": [1.5, "x"]})
    '{"a":[1.5,"x"],"b":1}'
    """
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def identify(kind: str, version: int, content: Mapping[str, Any]) -> str:
    """32 hex digits (BLAKE2b) of a thing of some kind; `version` changes when its meaning does."""
    text = canonical_json({"kind": kind, "version": version, "content": content})
    return blake2b(text.encode(), digest_size=16).hexdigest()
