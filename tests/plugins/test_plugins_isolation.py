"""Plugins that do harm while they are imported or asked: each is told, and hurts nothing else."""

from __future__ import annotations

import json
import locale
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfbench.errors import PluginFault, UnknownName
from dfbench.hookspecs import DatasetSpec, MethodSpec
from dfbench.plugins.code import load_target, plugin_code
from dfbench.plugins.host import Plugin, PluginHost
from dfbench.plugins.probe import PluginSource, ask_apart

pytestmark = pytest.mark.new_process  # what a plugin meets in a process without torch

SPEC = """
import dfbench
@dfbench.hookimpl
def dfbench_methods():
    yield dfbench.MethodSpec("{name}", "T", "dfbench.method:Method")
"""
MAIN = "from dfbench.cli import main; main()"
HARMFUL = {
    "leaves": ("import os\nos._exit(0)", r"without an answer \(exit status 0\)"),
    "leaves_late": (SPEC + "    import os; os._exit(3)", r"without an answer \(exit status 3\)"),
    "becomes_another": ("import os\nos.execvp('true', ['true'])", "without an answer"),
    "crashes": ("import ctypes\nctypes.string_at(0)", r"without an answer \(SIGSEGV\)"),
    "is_killed": ("import os\nos.kill(os.getpid(), 9)", r"without an answer \(SIGKILL\)"),
    "closes_all": ("import os\nos.closerange(0, 200)" + SPEC, "without an answer"),
    "breaks_json": ("import json\njson.dump = None" + SPEC, "without an answer"),
    "skips": ("import pytest\npytest.importorskip('no_such')", "Skipped: could not import"),
    "is_cancelled": ("import asyncio\nraise asyncio.CancelledError", "^CancelledError$"),
    "is_closed": ("raise GeneratorExit", "^GeneratorExit$"),
    "interrupts": ("raise KeyboardInterrupt", "^KeyboardInterrupt$"),
    "interrupts_late": (SPEC + "    raise KeyboardInterrupt", "^KeyboardInterrupt$"),
    "exits_late": (SPEC + "    raise SystemExit('half-way')", "^SystemExit: half-way$"),
    "own_base": ("class Odd(BaseException): pass\nraise Odd('odd')", "^Odd: odd$"),
    "no_text": ("class E(Exception):\n  def __str__(self): 1 / 0\nraise E", "ZeroDivisionError"),
    "two_lines": ("raise ValueError('one\\ntwo')", "^ValueError: one two$"),
    "json": (SPEC, "Python has a module named 'json'|already loaded"),
    "colorsys": (SPEC, "Python has a module named 'colorsys'; rename"),
    "torch": (SPEC, "a module named 'torch' is installed; rename"),
    "dfbench": (SPEC, "a module named 'dfbench' is already loaded; rename"),
    "dfbench_baselines": (SPEC, "a module named 'dfbench_baselines' is installed; rename"),
    "dotted.name": (SPEC, "without dots and colons"),
    "number": (SPEC.replace('"{name}"', "3"), "MethodSpec has name=3; allowed: lower case"),
    "loops": (SPEC + "    while True: yield 3", "a hook returned 3; allowed: MethodSpec"),
}
"""Text of a file, and what its error says."""
HARMLESS = {
    "rec": "import sys\nsys.setrecursionlimit(60)",
    "elsewhere": "import os\nos.chdir('/')",
    "speaks": "import os\nos.write(1, b'{'); print('['); os.system('echo from a child')",
    "closes": "import os\nos.close(1)",
    "replaces": "import sys, os\nsys.stdout = sys.stderr = None",
    "warns": "import warnings\nwarnings.simplefilter('error')",
    "logs": "import logging, sys\nlogging.basicConfig(stream=sys.stdout, level=0)",
    "at_exit": "import atexit\natexit.register(lambda: 1 / 0); atexit.register(print, 'bye')",
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()",
    "forks": "import os, time\nif not os.fork():\n    time.sleep(600)",
    "deaf": "import signal\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)",
    "with space": "",
    "größe": "",
    "with-hyphen": "",
}


def _write(folder: Path, name: str, text: str) -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def _offering(name: str, head: str) -> str:
    return head + SPEC.replace("{name}", name)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plugin]:
    """What came of all harmful plugins in one folder."""
    folder = tmp_path_factory.mktemp("harmful")
    for name, (text, _) in HARMFUL.items():
        _write(folder, name, text.replace("{name}", name.replace("_", "-")))
    for place, (name, text) in enumerate(HARMLESS.items()):
        _write(folder, name, _offering(f"harmless-{place}", text))
    (folder / "folder.py").mkdir()
    (folder / "dangling.py").symlink_to("nowhere")
    (folder / "latin.py").write_bytes("x = 'é'\n".encode("latin-1"))
    (folder / "null.py").write_bytes(b"x = 1\0\n")
    Path(os.fsdecode(bytes(folder) + b"/\xff.py")).write_text("raise ValueError")
    host = PluginHost(folder=folder)
    imported = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    assert not [file for file in imported if file.startswith(str(folder))]
    assert "crossx" in host.methods
    return {plugin.name: plugin for plugin in host.plugins}


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_plugin_is_listed_as_broken_with_its_cause(
    name: str, found: dict[str, Plugin]
) -> None:
    error = found[name].error or ""
    assert re.search(HARMFUL[name][1], error), error
    assert "\n" not in error


@pytest.mark.parametrize("name", HARMLESS)
def test_plugin_that_alters_only_its_own_process_works(name: str, found: dict[str, Plugin]) -> None:
    assert found[name].error is None
    assert len(found[name].offers["methods"]) == 1


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("folder", "no such plugin file"),
        ("dangling", "no such plugin file"),
        ("latin", "SyntaxError"),
        ("null", "null"),
        ("\\xff", "ValueError"),
    ],
)
def test_file_that_is_no_module_is_listed_as_broken(
    name: str, cause: str, found: dict[str, Plugin]
) -> None:
    assert cause in (found[name].error or "")


def test_plugin_that_never_ends_is_broken_after_its_time(tmp_path: Path) -> None:
    endless = _write(tmp_path, "endless", "while True: pass")
    deaf = "import signal, time\nfor s in (2, 14, 15): signal.signal(s, signal.SIG_IGN)\n"
    asleep = _write(tmp_path, "asleep", deaf + "time.sleep(600)")
    sources = [PluginSource(file.stem, str(file), file) for file in (endless, asleep)]
    answers = ask_apart(sources, seconds=1)
    assert [answer.error for answer in answers] == ["its import did not finish within 1 s"] * 2


def test_name_of_an_unknown_method_comes_with_the_plugins_that_are_broken(tmp_path: Path) -> None:
    host = PluginHost([_write(tmp_path, "shattered", "raise GeneratorExit")])
    with pytest.raises(UnknownName, match=r"unknown method 'mine'.*broken plugins.*: shattered \("):
        host.method("mine")


def test_of_two_files_with_one_name_the_second_is_broken(tmp_path: Path) -> None:
    files = []
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        files.append(_write(tmp_path / place, "twin", _offering(f"mine-{place}", "")))
    host = PluginHost(files)
    assert "mine-one" in host.methods
    with pytest.raises(PluginFault, match=r"one/twin\.py' has the same name; rename '.*two"):
        host.require(files)


def test_file_of_the_folder_that_is_named_too_counts_once(tmp_path: Path) -> None:
    file = _write(tmp_path, "twice", _offering("mine", ""))
    host = PluginHost([file], tmp_path)
    host.require([file])
    assert [plugin.name for plugin in host.plugins].count("twice") == 1


LONG = "x" * 65
BAD_FIELDS = [
    *(("name", name) for name in (3, None, "", "a b", "a/b", "..", "Crossx", "crossx[bn]", "a:b")),
    *(("name", name) for name in ("-a", "a--b", "é", "a\n", LONG, b"a", ["a"])),
    *(("title", title) for title in (3, None, "", "  ", "two\nlines", "\x1b[31mred", "\ud800")),
    *(("target", target) for target in (3, None, "", "a", "a:", ":A", "a:b:c", "a:b.", print)),
    *(("trains", trains) for trains in (0, 1, None, "no", ())),
    *(("beside", beside) for beside in ("abc", 3, None, (3,), ("",), {"a": 1})),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_spec_with_a_wrong_field_is_refused_where_it_is_made(field: str, value: object) -> None:
    right = {"name": "mine", "title": "Mine", "target": "mine:Mine"}
    for kind in (MethodSpec, DatasetSpec) if field not in ("beside", "trains") else (MethodSpec,):
        with pytest.raises(PluginFault, match=f"{kind.__name__} has {field}=.*; allowed: "):
            kind(**{**right, field: value})


@pytest.mark.parametrize("argument", [3, "", "a\nb"])
def test_argument_of_a_dataset_is_one_line_or_none(argument: object) -> None:
    with pytest.raises(PluginFault, match="DatasetSpec has argument="):
        DatasetSpec("mine", "Mine", "mine:open", argument)  # type: ignore[arg-type]  # on purpose


def test_no_dataset_has_the_name_that_stands_for_none() -> None:
    with pytest.raises(PluginFault, match="DatasetSpec has name='no-images'"):
        DatasetSpec("no-images", "None", "mine:open")


def test_labels_beside_may_be_a_list() -> None:
    spec = MethodSpec("mine", "Mine", "mine:Mine", ["crossx[bn]"])  # type: ignore[arg-type]  # it may
    assert spec.beside == ("crossx[bn]",)


@pytest.fixture
def altering(tmp_path: Path) -> Iterator[Path]:
    """A file that alters all that a process has, and may be imported in this one."""
    text = """
import locale, os, signal, sys, warnings
os.chdir('/')
os.umask(0o077)
os.write(1, b'written'); print('printed'); os.system('echo echoed')
sys.setrecursionlimit(60)
sys.stdout = sys.stderr = None
sys.excepthook = print
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
warnings.simplefilter('error')
locale.setlocale(locale.LC_ALL, 'C')
X = 1
"""
    yield _write(tmp_path, "altering", text)
    sys.modules.pop("altering", None)


def _state() -> list[object]:
    mask = os.umask(0)
    os.umask(mask)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    streams = [sys.stdout, sys.stderr, sys.excepthook]
    limits = [sys.getrecursionlimit(), locale.setlocale(locale.LC_ALL)]
    return [Path.cwd(), mask, *handlers, *streams, *limits, list(warnings.filters)]


def test_process_is_as_before_after_code_that_altered_it(
    altering: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = _state()
    with plugin_code():
        assert load_target("altering:X", altering) == 1
    assert _state() == before
    out, err = capfd.readouterr()
    assert out == ""
    assert all(word in err for word in ("written", "printed", "echoed"))


def test_plugin_may_raise_the_recursion_limit() -> None:
    before = sys.getrecursionlimit()
    with plugin_code():
        sys.setrecursionlimit(before + 1000)
    try:
        assert sys.getrecursionlimit() == before + 1000
    finally:
        sys.setrecursionlimit(before)


def _loaded(folder: Path, text: str) -> object:
    plugin = Plugin("loud", "-", "loud.py", _write(folder, "loud", text))
    host = PluginHost()
    try:
        host._add(plugin, ask_apart([plugin.source])[0])
        (error,) = (p.error for p in host.plugins if p.name == "loud")
        assert error is None
        return host.method("loud").load()
    finally:
        sys.modules.pop("loud", None)


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "GeneratorExit", "SystemExit(0)"])
def test_whatever_a_target_raises_is_the_plugins_fault(raised: str, tmp_path: Path) -> None:
    """Its module raises in this process, not in the one that asked it what it offers."""
    text = f"import sys\nif 'probe' not in sys.argv[0]:\n    raise {raised}\n"
    with pytest.raises(PluginFault, match=f"'loud'.*cannot be loaded: {raised.partition('(')[0]}"):
        _loaded(tmp_path, _offering("loud", text))


def test_interrupt_of_the_user_is_none_of_the_plugin(tmp_path: Path) -> None:
    text = "import os, sys, time\nif 'probe' not in sys.argv[0]:\n"
    text += "    os.kill(os.getpid(), 2)\n    time.sleep(60)\n"
    with pytest.raises(KeyboardInterrupt):
        _loaded(tmp_path, _offering("loud", text))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _spin() -> None:
    while True:
        pass


def test_target_that_never_ends_is_broken_off() -> None:
    with pytest.raises(TimeoutError, match=r"not finished after 0\.1 s"), plugin_code(seconds=0.1):
        _spin()


def test_nothing_that_plugins_print_gets_into_json(tmp_path: Path, shell: dict[str, str]) -> None:
    loud = "os.write(1, b'written'); print('printed'); os.system('echo echoed')"
    text = f"import atexit, os\n{loud}\natexit.register(os.write, 1, b'at exit')\n"
    spec = _offering("loud", text).replace("    yield", f"    {loud}\n    yield")
    _write(tmp_path, "loud", spec)
    _write(tmp_path, "shattered", "raise GeneratorExit")
    listed = subprocess.run(
        [sys.executable, "-c", MAIN, "list", "methods", "--format", "json"],
        env={**shell, "DFBENCH_PLUGINS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "loud" in {row["name"] for row in json.loads(listed.stdout)[0]["methods"]}
    assert listed.stderr.count("echoed") == 2
    assert "plugin 'shattered' does not work: GeneratorExit" in listed.stderr


def test_file_of_the_working_folder_hides_no_module_of_python(
    tmp_path: Path, shell: dict[str, str]
) -> None:
    """Python puts the working folder first where a module is run by its name."""
    _write(tmp_path, "random", "raise ValueError('hidden')")
    (tmp_path / "plugins").mkdir()
    _write(tmp_path / "plugins", "needy", _offering("needy", "import random, beside\n"))
    _write(tmp_path, "beside", "x = 1")
    listed = subprocess.run(
        [sys.executable, "-P", "-c", MAIN, "list", "methods", "--plugins-dir", "plugins"],
        env=shell,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "needy" in listed.stdout
