"""`dfbench run --config FILE`: options from a file, under those of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import dfbench.cli.run as module
from dfbench.errors import DfbenchError
from dfbench.process.supervision import Supervision
from dfbench.request import RunRequest

FILE = """
method = "crossx[bn]"
dataset = "folder:pictures"
scenario = "overlap=0.5"
seed = 3
classes = ["owl", "bee"]
image_size = 64
precision = "bf16"
plugins = ["mine.py"]
config = { rounds = 3, estimator_steps = 7 }

[budget]
steps = 300

[teachers]
weights = "weights.safetensors"

[run]
device = "cpu"
threads = 2
timeout = "2h"
"""

RUN = "run.toml"
Ask = Callable[..., tuple[RunRequest, Supervision]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What a command line asks for, without running it."""
    asked: list[tuple[RunRequest, Supervision]] = []

    def keep(request: RunRequest, supervision: Supervision, *_: object, **__: object) -> None:
        asked.append((request, supervision))

    monkeypatch.setattr(module, "_run", keep)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "mine.py").touch()
    (tmp_path / "run.toml").write_text(FILE, encoding="utf-8")

    def call(*arguments: str) -> tuple[RunRequest, Supervision]:
        named = [str(tmp_path / "run.toml") if one == RUN else one for one in arguments]
        finished = CliRunner().invoke(module.run, named)
        if isinstance(finished.exception, DfbenchError):
            raise finished.exception
        assert finished.exit_code == 0, finished.output
        return asked[-1]

    return call


def test_file_equals_the_command_line_that_it_spells_out(ask: Ask, tmp_path: Path) -> None:
    from_file, supervised = ask("--config", RUN)
    spelt, limited = ask(
        *("--method", "crossx[bn]", "--dataset", f"folder:{tmp_path}/pictures"),
        *("--scenario", "overlap=0.5", "--seed", "3", "--classes", "owl,bee"),
        *("--image-size", "64", "--precision", "bf16", "--plugin", "../mine.py"),
        *("--set", "rounds=3", "--set", "estimator_steps=7", "--set", "budget.steps=300"),
        *("--set", f"teachers.weights={tmp_path}/weights.safetensors"),
        *("--device", "cpu", "--threads", "2", "--timeout", "2h"),
    )
    assert from_file == spelt
    assert supervised.limits == limited.limits


def test_command_line_has_precedence_key_by_key(ask: Ask) -> None:
    request, supervision = ask(
        *("--config", RUN, "--method", "mib", "--seed", "0", "--timeout", "90"),
        *("--set", "budget.steps=5", "--dataset", "shapes"),
    )
    assert (request.method, request.seed, request.data.name) == ("mib", 0, "shapes")
    assert request.data.image_size == 64
    assert request.settings["budget.steps"] == "5"
    assert request.settings["rounds"] == "3"
    assert supervision.limits.timeout == 90


def test_environment_still_names_the_cache_and_the_file_nothing_that_it_does_not_give(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DFBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "run.toml").write_text('method = "mib"\ndataset = "shapes"', encoding="utf-8")
    request, _ = ask("--config", RUN)
    plain, _ = ask("--method", "mib", "--dataset", "shapes")
    assert request == plain
    assert request.places.cache == tmp_path / "cache"


def test_external_teachers_are_files_beside_it_or_identities(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "photo.safetensors").touch()
    text = 'method = "mib"\nphoto_teacher = "photo.safetensors"\nsketch_teacher = "abcd1234"'
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    request, _ = ask("--config", RUN)
    assert request.teachers == {
        "photo": str(tmp_path / "photo.safetensors"),
        "sketch": "abcd1234",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('methdo = "mib"', "line 1, key methdo: unknown key 'methdo'; did you mean 'method'?"),
        ('methods = ["mib"]', "unknown key 'methods'; did you mean 'method'?"),
        ("[run]\njobs = 2", "line 2, key run.jobs: unknown key 'jobs'"),
        ("[run]\nthraeds = 2", "did you mean 'threads'?"),
        ("seed = -1", "key seed: -1; allowed: an integer from 0"),
        ('seed = "3"', "key seed: '3'; allowed: an integer from 0"),
        ('[run]\ndevice = "gpu"', "key run.device: 'gpu'; did you mean 'cpu'?"),
        ("[budget]\nstepz = 3", "did you mean 'steps'?"),
        ("[config]\n'budget.steps' = 3", "budget and teachers are not settings of a method"),
        ('plugins = ["absent.py"]', "no such plugin file: .*absent.py'"),
        ("method = ", "line 1: not TOML"),
        ("method = 3", "key method"),
        ("\0", "NUL"),
    ],
)
def test_wrong_file_is_answered_with_line_and_key(
    ask: Ask, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DfbenchError, match=words):
        ask("--config", RUN, "--method", "mib", "--dataset", "shapes")


def test_file_of_the_page_on_suites_can_be_read(ask: Ask, tmp_path: Path) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "suites.md"
    _, text = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / RUN).write_text(text, encoding="utf-8")
    request, supervision = ask("--config", RUN)
    assert (request.method, request.seed, supervision.limits.timeout) == ("crossx", 1, 7200)


def test_missing_file_is_named(ask: Ask) -> None:
    with pytest.raises(DfbenchError, match=r"cannot read the run file '.*absent\.toml'"):
        ask("--config", "absent.toml")
