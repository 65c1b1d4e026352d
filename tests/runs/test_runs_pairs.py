"""Rows that learn from the pairs that another row generated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PLUGIN = """
import torch
import dfbench
from dfbench import Need


class Maker(dfbench.Method):
    name, title, version = "maker", "Maker", 1

    def fit(self, setting):
        if {saves}:
            images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(-1, 3, 32, 32)
            setting.artefacts.save_pairs(images, images + setting.seed)
        return dfbench.Encoders(setting.new_encoder("photo"), setting.new_encoder("sketch"))


class Taker(Maker):
    name, title = "taker", "Taker"

    @classmethod
    def needs(cls, config):
        return frozenset({needs})

    @classmethod
    def pairs_of(cls, config):
        return {source!r}

    def fit(self, setting):
        pool = setting.generated_pairs()
        assert len(pool) == 4
        pairs = pool.newest(4)
        assert pairs.photos.shape == pairs.sketches.shape == (4, 3, 32, 32)
        assert torch.allclose(pairs.photos[:, 0, 0, 0] * 255, torch.arange(4.0))
        assert torch.allclose(pairs.sketches, pairs.photos + setting.seed / 255)
        return dfbench.Encoders(setting.new_encoder("photo"), setting.new_encoder("sketch"))


@dfbench.hookimpl
def dfbench_methods():
    for method in (Maker, Taker):
        target = f"{{__name__}}:{{method.__name__}}"
        yield dfbench.MethodSpec(method.name, method.title, target)
"""


def _plugin(
    bench: Any, *, saves: bool = True, needs: str = "{Need.GENERATED_PAIRS}", source: str = "maker"
) -> tuple[str, str]:
    text = PLUGIN.format(saves=saves, needs=needs, source=source or None)
    return "--plugin", str(bench.plugin(text, "pairing"))


def _pairs(bench: Any) -> list[Path]:
    return sorted(bench.runs.rglob("pairs.safetensors"))


def test_run_whose_pairs_are_needed_comes_first_with_the_same_seed(quick_bench: Any) -> None:
    record = quick_bench.record("taker", "--seed", "3", *_plugin(quick_bench))
    assert record["method"]["needs"] == ["generated pairs"]
    assert record["method"]["pairs_of"] == "maker"
    assert sorted(p.name[:9] for p in quick_bench.results.rglob("*.json")) == [
        "maker-s3-",
        "taker-s3-",
    ]
    assert len(_pairs(quick_bench)) == 1


def test_finished_source_is_not_repeated_unless_its_pairs_are_gone(quick_bench: Any) -> None:
    plugin = _plugin(quick_bench)
    maker = quick_bench.record("maker", *plugin)
    (pairs,) = _pairs(quick_bench)
    stamp = pairs.stat().st_mtime_ns
    taker = quick_bench.record("taker", *plugin)
    assert pairs.stat().st_mtime_ns == stamp
    pairs.unlink()
    again = quick_bench.record("taker", "--force", *plugin)
    assert _pairs(quick_bench) == [pairs]
    assert again["digests"] == taker["digests"]
    assert quick_bench.record("maker", *plugin)["digests"] == maker["digests"]


def test_finished_row_needs_its_source_no_more(quick_bench: Any) -> None:
    plugin = _plugin(quick_bench)
    quick_bench.record("taker", *plugin)
    (pairs,) = _pairs(quick_bench)
    pairs.unlink()
    quick_bench.record("taker", *plugin)
    assert _pairs(quick_bench) == []


def test_source_that_leaves_no_pairs_is_named_with_the_remedy(quick_bench: Any) -> None:
    line = quick_bench.run("taker", *_plugin(quick_bench, saves=False)).refused()
    assert "'maker' of plugin 'pairing' saved no pairs, which 'taker' needs" in line
    assert "setting.artefacts.save_pairs()" in line


@pytest.mark.parametrize(
    "changes", [{"needs": ""}, {"source": ""}], ids=["undeclared", "of nobody"]
)
def test_need_and_source_of_pairs_have_to_agree(changes: dict[str, str], quick_bench: Any) -> None:
    line = quick_bench.run("taker", *_plugin(quick_bench, **changes)).refused()
    assert "its needs() and pairs_of() disagree" in line
    assert "allowed: Need.GENERATED_PAIRS with the label of a method, or neither" in line


def test_unknown_source_is_answered_with_a_suggestion(quick_bench: Any) -> None:
    line = quick_bench.run("taker", *_plugin(quick_bench, source="makker")).refused()
    assert "did you mean 'maker'" in line
