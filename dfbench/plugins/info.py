"""Descriptions of methods and re-rankers by their plugins; plain data, independent of torch."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from dfbench.errors import InvalidConfig, UnknownName

_LABEL = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<variant>[^\[\]]+)\])?")


class MethodInfo(BaseModel):
    """A method or variant as its plugin describes it; plain data that can cross processes."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    variant: str | None
    title: str
    version: int
    """The method's version."""
    plugin: str
    plugin_version: str
    config: dict[str, Any]
    """The full configuration, defaults included."""
    needs: tuple[str, ...]
    """Values of `Need`, sorted."""
    beside: tuple[str, ...]
    """Labels of methods that put this one's score in context."""
    pairs_of: str | None = None
    """Label of the method whose generated pairs this one needs."""
    cannot: dict[str, str] = {}
    """Kinds of scenario in which the method cannot run, with the reason."""
    trains: bool = True
    """Whether anything is trained in the fit, as the plugin declares it."""

    @property
    def label(self) -> str:
        """`name` or `name[variant]`."""
        return f"{self.name}[{self.variant}]" if self.variant else self.name

    @property
    def display_title(self) -> str:
        """The title, with the variant in brackets."""
        return f"{self.title} [{self.variant}]" if self.variant else self.title


def parse_label(label: str) -> tuple[str, str | None]:
    """Name and variant of a label.

    >>> parse_label("crossx[bn]")
    ('crossx', 'bn')
    """
    match = _LABEL.fullmatch(label.strip())
    if match is None:
        raise UnknownName(
            f"not a method: {label!r}; allowed: NAME or NAME[VARIANT] (see: dfbench list methods)"
        )
    return match["name"], match["variant"]


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
