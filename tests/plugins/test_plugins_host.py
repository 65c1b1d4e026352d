from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from dfbench.errors import PluginFault, UnknownName
from dfbench.plugins import host as plugins
from dfbench.plugins.code import load_target
from dfbench.plugins.host import PluginHost
from dfbench.plugins.sources import ClassSource
from dfbench.version import DISTRIBUTION

pytestmark = pytest.mark.new_process  # what a plugin meets in a process without torch

METHOD = """
from dfbench import MethodSpec, hookimpl

@hookimpl
def dfbench_methods():
    return [MethodSpec("{name}", "A Method", "{target}")]
"""

TARGET = "dfbench.method:Method"
"""A target that is there, in a module that no plugin here imports."""


@pytest.fixture(autouse=True)
def forgotten(tmp_path: Path) -> Iterator[None]:
    """Plugin files are imported again in every test."""
    yield
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def _file(folder: Path, text: str, name: str = "someplugin") -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def _error(host: PluginHost, name: str = "someplugin") -> str:
    error = next(plugin.error for plugin in host.plugins if plugin.name == name)
    assert error is not None
    assert "\n" not in error
    return error


def test_built_in_methods_and_datasets_come_by_entry_points() -> None:
    host = PluginHost()
    assert {"crossx", "classifier-only", "classifier-posterior"} <= set(host.methods)
    assert {"shapes", "folder"} <= set(host.datasets)
    assert all(plugin.error is None for plugin in host.plugins)


def test_file_offers_its_methods(tmp_path: Path) -> None:
    file = _file(tmp_path, METHOD.format(name="mine", target=TARGET))
    host = PluginHost([file])
    assert host.method("mine").plugin.origin == str(file)
    host.require([file])


def test_folder_offers_the_methods_of_all_its_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _file(tmp_path, METHOD.format(name=name, target=TARGET), f"plugin_{name}")
    host = PluginHost(folder=tmp_path)
    assert {"one", "two"} <= set(host.methods)


BROKEN = {
    "syntax error": ("def f(:\n    pass\n", "SyntaxError"),
    "failing import": ("import nowhere_to_be_found\n", "ModuleNotFoundError.*nowhere_to_be_found"),
    "exit at import": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "exit in a hook": (
        "import sys\nfrom dfbench import hookimpl\n"
        "@hookimpl\ndef dfbench_methods():\n    sys.exit('bye')\n",
        "SystemExit: bye",
    ),
    "unknown hook": (
        "from dfbench import hookimpl\n@hookimpl\ndef dfbench_metods():\n    return []\n",
        "unknown hook 'dfbench_metods'",
    ),
    "unknown argument": (
        "from dfbench import hookimpl\n@hookimpl\ndef dfbench_methods(nonsense):\n    return []\n",
        "nonsense",
    ),
    "hook that raises": (
        "from dfbench import hookimpl\n@hookimpl\ndef dfbench_methods():\n    1 / 0\n",
        "ZeroDivisionError",
    ),
    "something else than specs": (
        "from dfbench import hookimpl\n@hookimpl\ndef dfbench_methods():\n    return ['crossx']\n",
        "a hook returned 'crossx'; allowed: MethodSpec",
    ),
    "a spec of the other kind": (
        "from dfbench import DatasetSpec, hookimpl\n@hookimpl\ndef dfbench_methods():\n"
        "    return [DatasetSpec('a', 'b', 'c:d')]\n",
        "allowed: MethodSpec",
    ),
    "registration that raises half-way": (
        METHOD.format(name="half", target=TARGET).replace("return [", "yield (")[:-2]
        + ")\n    raise RuntimeError('half-way')\n",
        "RuntimeError: half-way",
    ),
    "no list": (
        "from dfbench import hookimpl\n@hookimpl\ndef dfbench_methods():\n    return 3\n",
        "TypeError",
    ),
    "a taken name": (
        METHOD.format(name="crossx", target=TARGET),
        r"the method name 'crossx' is taken by plugin 'baselines' \(dfbench-sbir .*rename one",
    ),
    "one name twice": (
        "from dfbench import MethodSpec, hookimpl\n@hookimpl\ndef dfbench_methods():\n"
        "    return [MethodSpec('a', 'A', 'a:A'), MethodSpec('a', 'B', 'a:B')]\n",
        "'a'",
    ),
    "null bytes": ("x = 1\0", "(SyntaxError|ValueError).*null"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_listed_with_its_fault_and_hurts_no_other(case: str, tmp_path: Path) -> None:
    text, fault = BROKEN[case]
    broken = _file(tmp_path, text)
    sound = _file(tmp_path, METHOD.format(name="sound", target=TARGET), "soundplugin")
    host = PluginHost([broken, sound])
    assert re.search(fault, _error(host))
    assert {"sound", "crossx", "classifier-only"} <= set(host.methods)
    assert host.method("crossx").plugin.name == "baselines"
    assert "someplugin" not in {offer.plugin.name for offer in host.methods.values()}
    with pytest.raises(PluginFault, match=r"someplugin\.py' does not work"):
        host.require([broken])
    host.require([sound])


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    host = PluginHost([tmp_path / "someplugin.py"])
    assert "no such plugin file" in _error(host)


def test_file_named_like_a_loaded_module_does_not_replace_it(tmp_path: Path) -> None:
    json = sys.modules["json"]
    host = PluginHost([_file(tmp_path, "x = 1\n", "json")])
    assert "rename" in _error(host, "json")
    assert sys.modules["json"] is json


def test_broken_file_leaves_no_half_imported_module(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        load_target("someplugin:x", _file(tmp_path, "x = 1\nraise ValueError\n"))
    assert "someplugin" not in sys.modules


def test_broken_entry_point_is_listed_with_its_fault_and_hurts_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = plugins.entry_points(group=plugins.GROUP)
    broken = [
        EntryPoint("gone", "a_package_that_is_gone", plugins.GROUP),
        EntryPoint("half", "json:no_such_attribute", plugins.GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: [*broken, *real])
    host = PluginHost()
    assert "a_package_that_is_gone" in _error(host, "gone")
    assert "no_such_attribute" in _error(host, "half")
    assert {"crossx", "classifier-only"} <= set(host.methods)
    assert "shapes" in host.datasets


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs a distribution of one module with one entry point, for other processes too."""
    place = tmp_path / "site"

    def installed(name: str, value: str, text: str) -> None:
        info = place / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[dfbench]\n{name} = {value}\n")
        _file(place, text, value.partition(":")[0])
        monkeypatch.syspath_prepend(str(place))
        monkeypatch.setenv("PYTHONPATH", str(place))

    return installed


OBJECT = f"""
from dfbench import MethodSpec, hookimpl

class Offers:
    @hookimpl
    def dfbench_methods(self):
        return [MethodSpec("object", "An Object", "{TARGET}")]

offers = Offers()
"""


def test_entry_point_may_lead_to_an_object(install: Callable[..., None]) -> None:
    install("objects", "somewhere:offers", OBJECT)
    plugin = PluginHost().method("object").plugin
    assert (plugin.name, plugin.distribution, plugin.version) == ("objects", "objects", "1.0")


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("nowhere_at_all:X", "no module named 'nowhere_at_all'"),
        ("nowhere_at_all.deep:X", "No module named 'nowhere_at_all'"),
        ("json:NoSuchClass", "no attribute 'NoSuchClass'"),
        ("json:loads", "target 'json:loads' is not a subclass of dfbench.Method"),
        ("someplugin:Mine", "no attribute 'Mine'"),
        ("json", "target='json'; allowed: 'module:attribute'"),
        (":", "target=':'; allowed"),
        ("", "target=''; allowed"),
        ("a:b:c", "target='a:b:c'; allowed"),
    ],
)
def test_offer_that_cannot_be_run_is_not_listed_as_working(
    target: str, cause: str, tmp_path: Path
) -> None:
    host = PluginHost([_file(tmp_path, METHOD.format(name="mine", target=target))])
    assert cause in _error(host)
    assert "mine" not in host.methods


def test_target_that_cannot_be_imported_names_plugin_target_and_method(tmp_path: Path) -> None:
    target = "dfbench.method:NoSuchClass"
    host = PluginHost([_file(tmp_path, METHOD.format(name="mine", target=target))])
    with pytest.raises(PluginFault) as fault:
        host.method("mine").load()
    text = str(fault.value)
    assert "plugin 'someplugin'" in text
    assert repr(target) in text
    assert "'mine'" in text
    assert "\n" not in text


def test_target_that_exits_is_the_plugins_fault(tmp_path: Path) -> None:
    _file(tmp_path, "raise SystemExit(4)\n", "leaving")
    text = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    host = PluginHost([_file(tmp_path, text + METHOD.format(name="mine", target="leaving:X"))])
    try:
        with pytest.raises(PluginFault, match="SystemExit: 4"):
            host.method("mine").load()
    finally:
        sys.path.remove(str(tmp_path))


def test_misspelt_names_are_answered_with_a_suggestion_and_the_command_that_lists_them() -> None:
    host = PluginHost()
    with pytest.raises(UnknownName, match=r"did you mean 'crossx'.*dfbench list methods"):
        host.method("crosx")
    with pytest.raises(UnknownName, match=r"did you mean 'shapes'.*dfbench list datasets"):
        host.dataset("shpaes")


def test_file_and_line_of_a_fault_are_told_with_its_traceback(tmp_path: Path) -> None:
    broken = _file(tmp_path, "x = 1\n\nraise ValueError('no idea')\n", "someplugin")
    syntax = _file(tmp_path, "x = 1\ndef f(:\n", "otherplugin")
    hook = _file(tmp_path, METHOD.format(name="m", target="t") + "    1 / 0\n", "lastplugin")
    hook.write_text(hook.read_text().replace("    return", "    1 / 0\n    return"))
    found = {plugin.name: plugin for plugin in PluginHost([broken, syntax, hook]).plugins}
    assert found["someplugin"].place == f"{broken}:3"
    assert "ValueError: no idea" in (found["someplugin"].traceback or "")
    assert found["otherplugin"].place == f"{syntax}:2"
    assert found["lastplugin"].place == f"{hook}:6"
    assert {found[name].state for name in ("someplugin", "otherplugin", "lastplugin")} == {"broken"}


def test_own_plugin_tells_distribution_hooks_and_offers() -> None:
    found = {plugin.name: plugin for plugin in PluginHost().plugins}
    own = found["baselines"]
    assert own.distribution == DISTRIBUTION
    assert (own.hooks, own.state) == (("dfbench_methods",), "works")
    assert "crossx" in own.offers["methods"]
    assert "shapes" in found["datasets"].offers["datasets"]


def test_own_names_are_kept_from_a_distribution_that_sorts_before(
    install: Callable[..., None],
) -> None:
    install("aaa", "aaa", METHOD.format(name="crossx", target=TARGET))
    host = PluginHost()
    assert host.method("crossx").plugin.name == "baselines"
    assert "'crossx' is taken by plugin 'baselines'" in _error(host, "aaa")


@pytest.mark.parametrize("only", [("baselines",), (DISTRIBUTION,), ("baselines", "datasets")])
def test_only_plugins_that_are_wanted_are_loaded(only: tuple[str, ...], tmp_path: Path) -> None:
    _file(tmp_path, "raise ValueError\n")
    named = _file(tmp_path.parent, METHOD.format(name="named", target=TARGET), "namedplugin")
    try:
        host = PluginHost([named], tmp_path, only)
    finally:
        named.unlink()
        sys.modules.pop("namedplugin", None)
    assert {"crossx", "named"} <= set(host.methods)
    states = {plugin.name: plugin.state for plugin in host.plugins}
    assert states["someplugin"] == "left out"
    assert states["datasets"] == ("left out" if only == ("baselines",) else "works")


def test_wanted_plugin_that_is_not_there_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"did you mean 'baselines'.*dfbench list plugins"):
        PluginHost(only=("baseline",))


def test_variable_narrows_what_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dfbench.cli import main

    monkeypatch.setenv("DFBENCH_PLUGINS", "datasets")
    monkeypatch.setattr(sys, "argv", ["dfbench", "list", "plugins", "--format", "json"])
    with pytest.raises(SystemExit):
        main()
    (content,) = json.loads(capsys.readouterr().out)
    assert {p["name"]: p["state"] for p in content["plugins"]}["baselines"] == "left out"


def test_class_is_offered_by_itself_once(tmp_path: Path) -> None:
    _file(tmp_path, "class Mine:\n    name, title = 'mine', 'Mine'\n", "mymodule")
    source = ClassSource(target="mymodule:Mine", path=tmp_path)
    try:
        host = PluginHost(classes=[source, source])
    finally:
        sys.path.remove(str(tmp_path))
    assert host.method("mine").spec.target == "mymodule:Mine"
    host.require((), [source])
    bad = ClassSource(target="json:loads")
    with pytest.raises(PluginFault, match="'json:loads' is not a method"):
        PluginHost(classes=[bad]).require((), [bad])


def test_list_tells_where_a_plugin_is_broken_and_with_v_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dfbench.cli import main

    broken = _file(tmp_path, "x = 1\nraise ValueError('no idea')\n")
    shown = []
    for extra in ([], ["-v"]):
        monkeypatch.setattr(
            sys, "argv", ["dfbench", "list", "plugins", "--plugin", str(broken), *extra]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        shown.append(capsys.readouterr().out)
    brief, whole = shown
    assert f"someplugin is broken: {broken}:2: ValueError: no idea" in brief
    assert "methods: classifier-only" in brief
    assert "Traceback" not in brief
    assert "raise ValueError('no idea')" in whole


PART = """
from dfbench import MetricSpec, NetworkSpec, hookimpl

@hookimpl
def dfbench_{kind}():
    return [{spec}]
"""


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        ("networks", "NetworkSpec('resnet18', 'x', 'json:loads')", "network name 'resnet18'"),
        ("networks", "NetworkSpec('resnet-mini', 'x', 'json:loads')", "network name 'resnet-mini'"),
        ("metrics", "MetricSpec('map@all', 'x', 'json:loads')", "metric name 'map' is taken"),
        ("metrics", "MetricSpec('map@7', 'x', 'json:loads')", "metric name 'map' is taken"),
        ("metrics", "MetricSpec('prec@{k}:mine', 'x', 'json:loads')", "metric name 'prec'"),
        ("metrics", "MetricSpec('df-sbir:3', 'x', 'json:loads')", "metric name 'df-sbir'"),
        ("metrics", "NetworkSpec('mine', 'x', 'json:loads')", "allowed: MetricSpec"),
        ("networks", "NetworkSpec('mine', 'x', 'nowhere_at_all:X')", "no module named"),
    ],
)
def test_names_of_networks_and_metrics_of_dfbench_cannot_be_taken(
    kind: str, spec: str, told: str, tmp_path: Path
) -> None:
    host = PluginHost([_file(tmp_path, PART.format(kind=kind, spec=spec))])
    assert told in _error(host)
    assert host.networks["resnet18"].plugin.own
    assert host.metrics["map@all"].plugin.own


def test_registered_network_cannot_replace_one_of_dfbench() -> None:
    from functools import partial

    from dfbench.hookspecs import NetworkSpec
    from dfbench.networks import new_backbone
    from dfbench.networks.backbones.registry import register

    with pytest.raises(PluginFault, match="'resnet-tiny' is taken by dfbench"):
        register(NetworkSpec("resnet-tiny", "x", "a:b"), lambda: partial(new_backbone, "x"))
