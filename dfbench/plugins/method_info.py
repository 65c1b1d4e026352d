"""Description of a method by its plugin; plain data, independent of torch."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from dfbench.errors import UnknownName

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
