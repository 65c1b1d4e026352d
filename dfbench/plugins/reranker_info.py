"""Description of a re-ranker with its settings; plain data, independent of torch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from dfbench.errors import InvalidConfig


class RerankerInfo(BaseModel):
    """A re-ranker as its plugin describes it; plain data that can cross processes."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    title: str
    version: int
    """The re-ranker's version."""
    plugin: str
    plugin_version: str
    definition: str
    """What is computed, in one line."""
    config: dict[str, Any]
    """The full configuration, defaults included."""
    changed: dict[str, Any] = {}
    """The settings that differ from the defaults."""

    @property
    def label(self) -> str:
        """`NAME`, or `NAME:KEY=VALUE,...` with the settings that differ from the defaults.

        >>> facts = {"title": "T", "version": 1, "plugin": "p", "plugin_version": "1"}
        >>> RerankerInfo(name="n", **facts, definition="d", config={"k": 3}, changed={"k": 3}).label
        'n:k=3'
        """
        pairs = ",".join(f"{key}={value}" for key, value in sorted(self.changed.items()))
        return f"{self.name}:{pairs}" if pairs else self.name


def parse_choice(text: str) -> tuple[str, dict[str, str]]:
    """Name and settings of a text `NAME` or `NAME:KEY=VALUE,...`. Raises `InvalidConfig`.

    >>> parse_choice("diffusion:k=20,alpha=0.9")
    ('diffusion', {'k': '20', 'alpha': '0.9'})
    """
    name, colon, rest = text.partition(":")
    settings: dict[str, str] = {}
    for pair in rest.split(",") if colon else ():
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (key and equals and value):
            raise InvalidConfig(
                f"re-ranker {text!r}: {pair!r} is not a setting; allowed: NAME or "
                f"NAME:KEY=VALUE,KEY=VALUE, e.g. --rerank {name or 'diffusion'}:k=20"
            )
        if key in settings:
            raise InvalidConfig(f"re-ranker {text!r} has {key} twice; allowed: each setting once")
        settings[key] = value
    return name.strip(), settings
