"""Runs of a suite that need the generated pairs of another."""

from __future__ import annotations

import pytest
from bench import Bench
from suite_bench import WriteSuite, reasons, statuses, suite

PAIRING = """
from pathlib import Path

import torch

import dfbench
from dfbench import Need

HERE = Path(__file__).parent


class Maker(dfbench.Method):
    name, title, version = "maker", "Maker", 1

    def fit(self, setting):
        with (HERE / "order").open("a") as order:
            order.write(f"{self.name} ")
        self.act(setting)
        return dfbench.Encoders(setting.new_encoder("photo"), setting.new_encoder("sketch"))

    def act(self, setting):
        if (HERE / "broken").exists():
            raise ValueError("not today")
        images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
        setting.artefacts.save_pairs(images, images)


class Taker(Maker):
    name, title = "taker", "Taker"

    @classmethod
    def needs(cls, config):
        return frozenset({Need.GENERATED_PAIRS})

    @classmethod
    def pairs_of(cls, config):
        return "maker"

    def act(self, setting):
        setting.generated_pairs()


@dfbench.hookimpl
def dfbench_methods():
    for method in (Maker, Taker):
        yield dfbench.MethodSpec(method.name, method.title, f"pairing:{method.__name__}")
"""


@pytest.fixture
def pairing(quick_bench: Bench) -> tuple[str, str]:
    """The option that loads a method that makes pairs and one that takes them."""
    return "--plugin", str(quick_bench.plugin(PAIRING, "pairing"))


def _order(bench: Bench) -> list[str]:
    return (bench.place / "order").read_text().split()


@pytest.mark.parametrize("methods", ['["taker", "maker"]', '["taker"]'])
def test_run_whose_pairs_are_needed_comes_first(
    methods: str, quick_bench: Bench, write_suite: WriteSuite, pairing: tuple[str, str]
) -> None:
    file = write_suite(methods)
    finished = suite(quick_bench, "run", file, *pairing, "--format", "json")
    assert finished.status == 0, finished.err
    assert statuses(finished) == {("maker", 0): "done", ("taker", 0): "done"}
    assert _order(quick_bench) == ["maker", "taker"]


def test_source_is_repeated_once_if_only_its_pairs_are_gone(
    quick_bench: Bench, write_suite: WriteSuite, pairing: tuple[str, str]
) -> None:
    file = write_suite('["maker", "taker"]')
    assert suite(quick_bench, "run", file, *pairing).status == 0
    next(quick_bench.runs.rglob("pairs.safetensors")).unlink()
    assert suite(quick_bench, "run", file, *pairing).status == 0
    assert _order(quick_bench) == ["maker", "taker"]
    next(quick_bench.results.rglob("taker-*.json")).unlink()
    assert suite(quick_bench, "run", file, *pairing).status == 0
    assert _order(quick_bench) == ["maker", "taker", "maker", "taker"]


def test_run_whose_source_failed_is_not_begun_and_says_so(
    quick_bench: Bench, write_suite: WriteSuite, pairing: tuple[str, str]
) -> None:
    file = write_suite('["maker", "taker"]')
    (quick_bench.place / "broken").touch()
    finished = suite(quick_bench, "run", file, *pairing, "--format", "json")
    assert finished.status == 1
    assert _order(quick_bench) == ["maker"]
    assert reasons(finished.json)["taker"].startswith("not started: maker failed: method 'maker'")
    (quick_bench.place / "broken").unlink()
    again = suite(quick_bench, "run", file, *pairing, "--retry", "all", "--format", "json")
    assert again.status == 0, again.err
    assert _order(quick_bench) == ["maker", "maker", "taker"]
