"""Plugins that cheat or get in the way: what each gets, and that nobody else is hurt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench import Bench

PIXELS = """
import gc, os, sys, threading, time
from pathlib import Path
import numpy as np
import torch
from torch import nn
import dfbench
{head}

@dfbench.hookimpl
def dfbench_methods():
    return [dfbench.MethodSpec("pixels", "Raw Pixels", "someplugin:Pixels")]


class Pixels(dfbench.Method):
    name, title, version = "pixels", "Raw Pixels", 1

    def fit(self, setting):
        {fit}
        return dfbench.Encoders(nn.Flatten(), nn.Flatten())
"""


def plugin(bench: Bench, fit: str = "pass", head: str = "") -> str:
    return str(bench.plugin(PIXELS.format(head=head, fit=fit)))


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_altered_teacher_is_refused_and_the_next_method_gets_a_whole_one(
    modality: str, quick_bench: Bench
) -> None:
    before = quick_bench.record("classifier-only")["digests"]
    fit = f"setting.teacher('{modality}').network.head.weight.data.zero_()"
    line = quick_bench.run("pixels", "--plugin", plugin(quick_bench, fit)).refused()
    assert f"method 'pixels' of plugin 'someplugin' -: fit() altered the {modality} teacher" in line
    assert len(list(quick_bench.results.rglob("*.json"))) == 1
    assert quick_bench.record("classifier-only", "--force")["digests"] == before


@pytest.mark.parametrize(
    "scores", ["{'map@all': 1.0}", "1.0", "(nn.Flatten(), nn.Flatten(), {'map@all': 1.0})"]
)
def test_scores_of_its_own_are_refused(scores: str, quick_bench: Bench) -> None:
    line = quick_bench.run("pixels", "--plugin", plugin(quick_bench, f"return {scores}")).refused()
    assert "method 'pixels': fit() returned" in line
    assert "allowed: dfbench.Encoders" in line
    assert not list(quick_bench.results.rglob("*.json"))


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("__import__('asyncio').CancelledError()", "CancelledError"),
        ("GeneratorExit('over')", "GeneratorExit: over"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("SystemExit(0)", "SystemExit: 0"),
        ("type('Odd', (BaseException,), {})('odd')", "Odd: odd"),
        ("StopIteration", "StopIteration"),
    ],
)
def test_whatever_fit_raises_is_the_methods_fault(
    raised: str, told: str, quick_bench: Bench
) -> None:
    line = quick_bench.run("pixels", "--plugin", plugin(quick_bench, f"raise {raised}")).refused()
    assert f"method 'pixels' of plugin 'someplugin' -: fit() raised {told}" in line


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "SystemExit(3)", "GeneratorExit"])
def test_whatever_an_encoder_raises_is_the_methods_fault(raised: str, quick_bench: Bench) -> None:
    fit = f"""class Raises(nn.Module):
            def forward(self, x):
                raise {raised}
        return dfbench.Encoders(Raises(), Raises())"""
    line = quick_bench.run("pixels", "--plugin", plugin(quick_bench, fit)).refused()
    assert f"encoder raised {raised.replace('(3)', ': 3')}" in line


def test_broken_plugins_of_the_folder_leave_the_run_of_another_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bench.place / "plugins"
    folder.mkdir()
    harmful = {
        "leaves": "import os\nos._exit(0)",
        "cancels": "import asyncio\nraise asyncio.CancelledError",
        "colorsys": "raise ValueError",
        "shallow": "import sys\nsys.setrecursionlimit(60)",
        "crashes": "import ctypes\nctypes.string_at(0)",
    }
    for name, text in harmful.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.setenv("DFBENCH_PLUGINS_DIR", str(folder))
    assert bench.record("classifier-only")["method"]["name"] == "classifier-only"
    line = bench.run("pixels").refused()
    assert "unknown method 'pixels'" in line
    assert "broken plugins, which may offer it: cancels, colorsys, crashes, leaves" in line


def test_named_plugin_that_leaves_is_named(bench: Bench) -> None:
    file = plugin(bench, head="os._exit(0)")
    line = bench.run("pixels", "--plugin", file).refused()
    assert f"plugin file {file!r} does not work: its process ended without an answer" in line


def test_patched_metrics_and_output_on_all_channels_change_nothing_in_a_json_record(
    bench: Bench,
) -> None:
    honest = bench.record("pixels", "--plugin", plugin(bench))
    patch = """
import dfbench.evaluation.harness as harness, dfbench.runs.ranking as ranking
harness.evaluate = ranking.evaluate = lambda *a, **k: 1 / 0
print("at import")
"""
    fit = "print('a score of 1.0'); os.write(1, b'{}'); sys.stdout.flush()"
    record = bench.record("pixels", "--force", "--plugin", plugin(bench, fit, patch))
    assert record["metrics"] == honest["metrics"]
    assert record["digests"] == honest["digests"]


def test_neither_names_nor_labels_nor_files_of_test_images_are_in_the_process_of_a_method(
    bench: Bench, pictures: Path
) -> None:
    """Nothing is inherited: no memory, no open file, no variable, no argument."""
    head = """
HERE = Path(__file__).parent

def witness():
    files = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{fd}")]
    texts = [t for o in gc.get_objects() if isinstance(o, (tuple, list)) for t in o
             if isinstance(t, str) and t.endswith(".png")]
    sets = [type(o).__name__ for o in gc.get_objects() if type(o).__name__ == "ImageSet"]
    seen = [*files, *texts, *sets, *os.environ.values(), *sys.argv]
    (HERE / "seen").write_text("\\n".join(seen))
"""
    bench.record("pixels", "--plugin", plugin(bench, "witness()", head))
    seen = (bench.place / "seen").read_text()
    assert "ImageSet" not in seen
    assert ".png" not in seen
    assert str(pictures) not in seen


def test_place_of_an_image_in_its_batch_tells_nothing(quick_bench: Bench) -> None:
    """In the dataset's own order, classes side by side, places would rank perfectly."""
    fit = """class Place(nn.Module):
            def forward(self, x):
                place = torch.arange(len(x)) / len(x)
                return torch.stack([place, torch.ones(len(x))], dim=1)
        return dfbench.Encoders(Place(), Place(), "euclidean")"""
    record = quick_bench.record("pixels", "--plugin", plugin(quick_bench, fit))
    assert record["metrics"]["map@all"]["value"] < 0.9
    assert record["metrics"]["acc@1"]["value"] < 1


def _dfbench(shell: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from dfbench.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env=shell,
        timeout=60,
        check=False,
    )


def test_list_waits_for_no_thread_and_prints_nothing_of_a_plugin(
    shell: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "someplugin.py"
    file.write_text(
        "import threading, time\nprint('hello')\n"
        "threading.Thread(target=time.sleep, args=(600,), name='endless').start()\n"
    )
    listed = _dfbench(shell, "list", "methods", "--plugin", str(file), "--format", "json")
    assert listed.returncode == 0, listed.stderr
    assert "crossx" in {row["name"] for row in json.loads(listed.stdout)[0]["methods"]}
    assert "hello" in listed.stderr


def test_embeddings_written_by_a_method_are_written_over(quick_bench: Bench) -> None:
    """What it leaves in the run's folder counts for nothing."""
    forged = "import safetensors.torch as s; s.save_file({'photo': torch.zeros(6, 2), "
    forged += "'sketch': torch.zeros(6, 2)}, setting.artefacts._folder / 'embeddings.safetensors')"
    honest = quick_bench.record("pixels", "--plugin", plugin(quick_bench))
    record = quick_bench.record("pixels", "--force", "--plugin", plugin(quick_bench, forged))
    assert record["digests"] == honest["digests"]
    assert not np.isclose(record["metrics"]["map@all"]["value"], record["chance"])
