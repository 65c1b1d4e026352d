"""Networks and metrics of plugins in runs: used everywhere, in the identity, and contained."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from bench import Bench

from dfbench.networks.backbones import registry

NETWORK = """
import dfbench


@dfbench.hookimpl
def dfbench_networks():
    return [dfbench.NetworkSpec("strip", "two convolutions", "{module}:strip", version={version})]


def strip(image_size):
    import torch
    from torch import nn
    from dfbench.networks import Backbone

    class Strip(Backbone):
        feature_dim = 12

        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 5, 4, 2)
            self.second = nn.Conv2d(8, 12, 3, 2, 1)

        def stage_maps(self, x):
            first = self.first(x).relu()
            return first, {maps}

    return Strip()
"""
MAPS = "self.second(first).relu()"
METRICS = """
import dfbench

NAMES = ("reciprocal", "absent", "wide", "list", "large", "fails", "leaves", "endless")


@dfbench.hookimpl
def dfbench_metrics():
    specs = [dfbench.MetricSpec(n, f"the metric {n}", f"{__name__}:{n}", "gallery") for n in NAMES]
    return [*specs, dfbench.MetricSpec("gain@{k}", "gain at {k}", f"{__name__}:gain")]


def reciprocal(places):
    return places.total((places.ordinal == 1) / places.rank)


def gain(groups, k):
    import torch
    from dfbench.evaluation import expected_gain

    ranks = torch.arange(1, groups.n_photos + 1)
    gains = (ranks <= k) / (ranks + 1.0).log2()
    return expected_gain(groups, gains) / gains.sum()


def absent(places):
    return places.relevant * float("nan")


def wide(places):
    return places.precision


def list(places):
    return [0.5] * len(places.lengths)


def large(places):
    return places.relevant.double() + 1


def fails(places):
    raise KeyError("lost")


def leaves(places):
    import os

    os._exit(3)


def endless(places):
    while True:
        pass
"""
ODD = {
    "absent": "returned NaN or infinity for",
    "wide": "returned shape",
    "list": "returned list; allowed: a tensor",
    "large": "allowed: values from 0 to 1",
    "fails": "raised KeyError: 'lost'",
    "leaves": "exit status 3",
}


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugin files are imported, and their networks registered, again in every test."""
    monkeypatch.setattr(registry, "_NETWORKS", dict(registry._NETWORKS))
    for name in ("stripplugin", "metricplugin"):
        sys.modules.pop(name, None)


def _network(bench: Bench, *, version: int = 1, maps: str = MAPS) -> str:
    text = NETWORK.format(module="stripplugin", version=version, maps=maps)
    return str(bench.plugin(text, "stripplugin"))


def _metrics(bench: Bench) -> str:
    return str(bench.plugin(METRICS, "metricplugin"))


def _rescore(bench: Bench, *arguments: str) -> tuple[str, ...]:
    places = ("--results", str(bench.results), "--runs", str(bench.runs))
    return ("rescore", "--plugin", _metrics(bench), *places, *arguments)


def _stored(bench: Bench) -> dict[str, object]:
    (file,) = bench.results.rglob("*.json")
    content: dict[str, object] = json.loads(file.read_text())
    return content


STRIP = ("--set", "teachers.network=strip")


def test_network_of_a_plugin_trains_teachers_and_encoders_and_is_in_the_identity(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = _network(bench)
    method = "classifier-only"
    record = bench.record(method, "--plugin", plugin, *STRIP)
    assert record["recipe"]["network"] == "strip"
    assert record["plugin_networks"]["strip"]["plugin"] == "stripplugin"
    assert record["plugin_networks"]["strip"]["version"] == 1
    again = bench.run(method, "--plugin", plugin, *STRIP)
    assert "already done" in again.err
    newer = bench.record(method, "--plugin", _network(bench, version=2), *STRIP)
    assert newer["fit_id"] != record["fit_id"]
    assert newer["teachers"]["photo"]["identity"] != record["teachers"]["photo"]["identity"]
    query = next(bench.pictures.rglob("sketch/*/*.png"))
    photos = str(bench.pictures / "photo")
    places = ("--results", str(bench.results), "--runs", str(bench.runs))
    asked = (
        "query",
        "--sketch",
        str(query),
        "--run",
        record["fit_id"][:12],
        "--gallery",
        photos,
        *places,
    )
    cached = (*asked, "--cache", str(bench.cache))
    assert "unknown network 'strip'" in bench.call(*cached).refused()
    monkeypatch.setenv("DFBENCH_PLUGINS_DIR", str(Path(plugin).parent))
    assert bench.call(*cached).status == 0


def test_imported_teachers_can_have_the_network_of_a_plugin(
    quick_bench: Bench, tmp_path: Path
) -> None:
    import torch

    from dfbench.networks import Classifier, Normaliser
    from dfbench.plugins.networks import register_networks
    from dfbench.plugins.sources import PluginSources

    plugin = _network(quick_bench)
    register_networks(["strip"], PluginSources(files=(Path(plugin),)))
    named = []
    for modality in ("photo", "sketch"):
        network = Classifier("strip", Normaliser.of(modality, 32), 3, 32)
        file = tmp_path / f"{modality}.pt"
        torch.save({**network.backbone.state_dict(), **_head(network)}, file)
        finished = quick_bench.call(
            *("teachers", "import", str(file), "--modality", modality, "--network", "strip"),
            *("--classes", "boat,cup,sun", "--mean", ".5,.5,.5", "--std", ".5,.5,.5"),
            *("--input-size", "32", "--plugin", plugin, "--cache", str(quick_bench.cache)),
            *("--format", "json"),
        )
        assert finished.status == 0, finished.err
        named += [f"--{modality}-teacher", finished.json["identity"][:12]]
    finished = quick_bench.call(
        *("run", "--method", "classifier-only", "--alone", "--plugin", plugin, *named),
        *("--dataset", f"folder:{quick_bench.pictures}", "--classes", "boat,cup,sun"),
        *("--device", "cpu", "--threads", "1", "--cache", str(quick_bench.cache)),
        *("--results", str(quick_bench.results), "--runs", str(quick_bench.runs)),
        *("--format", "json"),
    )
    assert finished.status == 0, finished.err
    assert finished.json["plugin_networks"]["strip"]["version"] == 1


def _head(network: object) -> dict[str, object]:
    return {f"head.{name}": tensor for name, tensor in network.head.state_dict().items()}  # type: ignore[attr-defined]  # a classifier


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        ("self.second(first)[:, :5]", "its features have shape [2, 5] for two images"),
        ("self.second(first) * torch.nan", "not finite"),
        ("self.second(x)", "cannot be built for images of"),
        ("None", "cannot be built for images of"),
        ("self.second(first).flatten(1)", "cannot be built for images of"),
    ],
)
def test_network_that_breaks_its_promise_is_named(maps: str, told: str, tmp_path: Path) -> None:
    from dfbench.errors import PluginFault
    from dfbench.networks import new_backbone
    from dfbench.plugins.networks import register_networks
    from dfbench.plugins.sources import PluginSources

    name = f"odd{abs(hash(maps))}"
    file = tmp_path / f"{name}.py"
    text = NETWORK.format(module=name, version=1, maps=maps).replace('"strip"', f'"{name}"')
    file.write_text(text, encoding="utf-8")
    register_networks([name], PluginSources(files=(file,)))
    with pytest.raises(PluginFault, match=re.escape(told)) as fault:
        new_backbone(name, 32)
    assert f"network {name!r} of plugin {name!r}" in str(fault.value)


def test_metric_is_added_to_finished_runs_without_a_fit(quick_bench: Bench) -> None:
    before = quick_bench.record("classifier-posterior", "--scenario", "overlap=.5")
    finished = quick_bench.call(
        *_rescore(quick_bench, "--metric", "reciprocal", "--metric", "gain@2")
    )
    assert finished.status == 0, finished.err
    after = _stored(quick_bench)
    assert {"reciprocal", "gain@2"} <= set(after["metrics"])  # type: ignore[call-overload]  # JSON
    for name, score in before["metrics"].items():
        assert after["metrics"][name] == score  # type: ignore[index]  # JSON
    assert all("gain@2" in one["metrics"] for one in after["groups"].values())  # type: ignore[attr-defined]  # JSON
    assert after["definitions"]["gain@2"]["formula"] == "gain at 2"  # type: ignore[index]  # JSON
    for name in ("fit_id", "eval_id", "seconds"):
        assert after[name] == before[name]
    assert after["digests"]["metrics"] == before["digests"]["metrics"]  # type: ignore[index]  # JSON
    results = ("--results", str(quick_bench.results), "--metric", "reciprocal")
    shown = quick_bench.call("table", *results, "--format", "csv")
    assert "reciprocal" in shown.out.splitlines()[0]
    assert "already done" in quick_bench.run("classifier-posterior", "--scenario", "overlap=.5").err
    repeated = quick_bench.call(*_rescore(quick_bench, "--metric", "reciprocal"))
    assert "0 records have new metrics" in repeated.out


def test_metric_that_misbehaves_is_named_and_the_scores_are_kept(bench: Bench) -> None:
    before = bench.record("classifier-only")
    asked = [part for name in (*ODD, "reciprocal") for part in ("--metric", name)]
    line = bench.call(*_rescore(bench, *asked)).refused()
    for name, told in ODD.items():
        assert f"metric {name!r} of plugin 'metricplugin'" in line
        assert told in line
    after = _stored(bench)
    assert set(after["metrics"]) == {*before["metrics"], "reciprocal"}  # type: ignore[call-overload]  # JSON


def test_metric_that_never_ends_is_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.record("classifier-only")
    monkeypatch.setattr("dfbench.process.metrics.METRIC_SECONDS", 8.0)
    line = bench.call(*_rescore(bench, "--metric", "endless")).refused()
    assert "metric 'endless' of plugin 'metricplugin': not done after 8 s" in line


def test_embeddings_that_changed_are_not_rescored(quick_bench: Bench) -> None:
    quick_bench.record("classifier-only")
    (file,) = quick_bench.runs.rglob("embeddings.safetensors")
    content = bytearray(file.read_bytes())
    content[-2] ^= 0x10
    file.write_bytes(content)
    finished = quick_bench.call(*_rescore(quick_bench, "--metric", "prec@3"))
    assert finished.status == 2
    assert "its stored embeddings are not those that were recorded" in finished.err
    assert "prec@3" not in _stored(quick_bench)["metrics"]  # type: ignore[operator]  # JSON


def test_run_whose_folder_is_gone_is_named(quick_bench: Bench, tmp_path: Path) -> None:
    quick_bench.record("classifier-only")
    places = ("--results", str(quick_bench.results), "--runs", str(tmp_path / "nowhere"))
    finished = quick_bench.call("rescore", "--metric", "prec@3", *places)
    assert finished.status == 2
    assert "has no embeddings with labels" in finished.err
    unknown = quick_bench.call("table", "--results", str(quick_bench.results), "--metric", "prec@3")
    assert "dfbench rescore --metric prec@3" in unknown.refused()
