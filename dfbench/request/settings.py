"""Settings as `--set` gives them: texts by key, each of the method, the budget or the teachers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import ConfigDict, RootModel, model_validator

from dfbench.request.values import SettingPairs
from dfbench.system.files import absolute

WEIGHTS = "teachers.weights"
"""The setting that names a file."""


class Settings(RootModel[dict[str, str]]):
    """Settings as given by `--set`, divided among those they belong to."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, given: object) -> object:
        return SettingPairs().take(given)

    @cached_property
    def method(self) -> dict[str, str]:
        """Those of the method: without a prefix."""
        owners = ("budget.", "teachers.")
        return {key: value for key, value in self.root.items() if not key.startswith(owners)}

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
        return Settings({k: v for k, v in self.root.items() if k not in self.method})

    @property
    def weights(self) -> Path | None:
        """The file of the teachers' weights."""
        return Path(self.root[WEIGHTS]) if self.root.get(WEIGHTS) else None

    def with_weights(self, file: Path) -> Settings:
        """These with another file of the teachers' weights."""
        return Settings({**self.root, WEIGHTS: str(file)})

    def from_folder(self, base: Path | None = None) -> Settings:
        """These with the absolute path of the file, which begins in `base` or here."""
        file = self.weights
        return self if file is None else self.with_weights(absolute((base or Path()) / file))

    def _of(self, owner: str) -> dict[str, str]:
        mine = {key: value for key, value in self.root.items() if key.startswith(owner)}
        return {key.removeprefix(owner): value for key, value in mine.items()}
