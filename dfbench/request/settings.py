"""Settings as `--set` gives them: texts by key, each of the method, the budget or the teachers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dfbench.request.values import SettingPairs
from dfbench.system.files import absolute

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

WEIGHTS = "teachers.weights"
"""The setting that names a file."""


class Settings(Mapping[str, str]):
    """Settings as given by `--set`, divided among those they belong to.

    Values may be given as numbers or truth values. Raises `InvalidConfig` for another kind of value
    and `ValueError` if they are not settings by key.
    """

    def __init__(self, given: object) -> None:
        self._texts = cast("Mapping[str, str]", SettingPairs().take(given))

    def __getitem__(self, key: str) -> str:
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"Settings({dict(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have pydantic take settings by key; they are stored as a JSON object."""
        from pydantic_core import core_schema

        del source, handler
        return core_schema.no_info_plain_validator_function(
            lambda given: given if isinstance(given, cls) else cls(given),
            serialization=core_schema.plain_serializer_function_ser_schema(dict),
        )

    @cached_property
    def method(self) -> dict[str, str]:
        """Those of the method: without a prefix."""
        owners = ("budget.", "teachers.")
        return {key: value for key, value in self.items() if not key.startswith(owners)}

    @cached_property
    def budget(self) -> dict[str, str]:
        """Those of the shared budget, without `budget.`."""
        return self._of("budget.")

    @cached_property
    def teachers(self) -> dict[str, str]:
        """Those of the teachers, without `teachers.`."""
        return self._of("teachers.")

    @property
    def shared(self) -> Settings:
        """Those of the budget and the teachers alone."""
        return Settings({k: v for k, v in self.items() if k not in self.method})

    @property
    def weights(self) -> Path | None:
        """The file of the teachers' weights."""
        return Path(self[WEIGHTS]) if self.get(WEIGHTS) else None

    def with_weights(self, file: Path) -> Settings:
        """These with another file of the teachers' weights."""
        return Settings({**self, WEIGHTS: str(file)})

    def from_folder(self, base: Path | None = None) -> Settings:
        """These with the absolute path of the file, which begins in `base` or here."""
        file = self.weights
        return self if file is None else self.with_weights(absolute((base or Path()) / file))

    def _of(self, owner: str) -> dict[str, str]:
        mine = {key: value for key, value in self.items() if key.startswith(owner)}
        return {key.removeprefix(owner): value for key, value in mine.items()}
