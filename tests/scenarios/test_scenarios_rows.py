"""Every built-in method, and what learns from another row's pairs, runs in every scenario."""

from __future__ import annotations

import pytest
from dfbench_baselines import dfbench_methods
from zoo_bench import ZooBench

from dfbench.method import Method
from dfbench.plugins.host import load_target

QUICK = {
    "rounds": "2",
    "estimator_steps": "4",
    "estimator_batch": "8",
    "estimator_width": "8",
    "image_batch": "4",
    "image_steps": "1",
}
"""Settings of methods that only say how images are made."""
METHODS: dict[str, type[Method]] = {
    spec.name: load_target(spec.target) for spec in dfbench_methods()
}


def _settings(name: str) -> list[str]:
    known = {key: value for key, value in QUICK.items() if key in METHODS[name].Config.model_fields}
    if name == "unimodal-distillation":
        known["warm_up"] = "2"
    return [part for key, value in known.items() for part in ("--set", f"{key}={value}")]


@pytest.mark.parametrize("scenario", ["overlap=0.3", "unseen=0.4"])
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_runs_in_every_scenario(name: str, scenario: str, zoo_bench: ZooBench) -> None:
    record = zoo_bench.record(name, scenario, *_settings(name))
    assert record["scenario"] == scenario
    assert 0 < record["metrics"]["map@all"]["value"] <= 1
    assert list(record["groups"]) == (
        ["shared", "photo-only", "sketch-only"] if scenario == "overlap=0.3" else []
    )
    for group in record["groups"].values():
        assert group["representations"].keys() == record["representations"].keys()
