"""The kit as a pytest plugin: one test per check, named after the check.

A test marked `dfbench(target, settings={}, expected_failures={}, only=(), plugins=())` with the
argument `dfbench_check` is parametrised by check and calls it. All checks share one fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dfbench.conformance.check import Check, chosen_checks
from dfbench.request.settings import Settings
from dfbench.system.files import absolute

if TYPE_CHECKING:
    from dfbench.conformance.kit import Examination

_EXAMINATIONS = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "dfbench(target, settings={}, expected_failures={}, only=(), plugins=()): target of "
        "`dfbench_check`: a method, 'module:Class', a class, or a plugin file",
    )
    config.stash[_EXAMINATIONS] = ExitStack()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folders of all examinations."""
    config.stash[_EXAMINATIONS].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test by the checks of its `dfbench` markers."""
    if "dfbench_check" not in metafunc.fixturenames:
        return
    tests: list[Any] = []
    for marker in metafunc.definition.iter_markers("dfbench"):
        subject = MethodUnderTest(
            metafunc.config.stash[_EXAMINATIONS], *marker.args, **marker.kwargs
        )
        tests += [
            pytest.param(subject.test_of(check), id=f"{subject.name}-{check.name}")
            for check in chosen_checks(subject.only)
        ]
    if not tests:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} uses dfbench_check but has no marker; mark it "
            '@pytest.mark.dfbench("my-method")'
        )
    metafunc.parametrize("dfbench_check", tests)


class MethodUnderTest:
    """A target of the kit, examined when its first check runs."""

    def __init__(
        self,
        stack: ExitStack,
        target: str | Path | type,
        *,
        settings: Mapping[str, Any] | None = None,
        expected_failures: Mapping[str, str] | None = None,
        only: Sequence[str] = (),
        plugins: Sequence[Path] = (),
    ) -> None:
        self.name = target.__name__ if isinstance(target, type) else Path(target).name
        self.only = only
        if not isinstance(target, type) and Path(target).suffix == ".py":
            target = absolute(Path(target))
        self._target = target
        self._settings = Settings(settings or {}).from_folder()
        self._expected = expected_failures or {}
        self._plugins = [absolute(Path(file)) for file in plugins]
        self._stack = stack
        self._examined: Examination | None = None

    def test_of(self, check: Check) -> Callable[[], None]:
        """A test function that fails, skips or passes according to the verdict on a check."""

        def test() -> None:
            verdict = self._examination().verdict(check)
            if verdict.status == "failed":
                pytest.fail("\n".join(filter(None, (verdict.remark, verdict.traceback))), False)
            if verdict.status == "expected":
                pytest.xfail(verdict.remark)
            if verdict.status == "not run":
                pytest.skip(verdict.remark)

        return test

    def _examination(self) -> Examination:
        from dfbench.conformance.check import only_row
        from dfbench.conformance.kit import examined
        from dfbench.defaults import chosen_cache, chosen_plugins, chosen_plugins_folder

        if self._examined is None:
            cache = chosen_cache()  # before a plugin is imported, which may change its inputs
            sources = chosen_plugins(self._plugins, chosen_plugins_folder())
            host, label = only_row(self._target, sources)
            examination = examined(
                host,
                label,
                settings=self._settings,
                expected_failures=self._expected,
                cache=cache,
            )
            self._examined = self._stack.enter_context(examination)
        return self._examined
