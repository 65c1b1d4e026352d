"""Whether a method trains is declared by its plugin, and decides where tables list it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from dfbench_baselines.classifiers import ClassifierOnly
from plugin_text import method_text
from synthetic import synthetic_record

from dfbench.errors import PluginFault
from dfbench.planning.methods import resolve
from dfbench.plugins.host import PluginHost
from dfbench.plugins.info import MethodInfo
from dfbench.plugins.sources import PluginSources, class_source
from dfbench.records.store import ResultStore
from dfbench.reporting.roles import REFERENCE, TRAINED, UNTRAINED, section_of
from dfbench.reporting.tables.leaderboard import leaderboards

RESULTS = Path(__file__).parents[2] / "results"
SPEC = 'MethodSpec("mine", "Mine", f"{__name__}:Mine")'
CLASS = "class Mine(Method):\n"


@cache
def _host() -> PluginHost:
    return PluginHost()


def _info(label: str, **settings: str) -> MethodInfo:
    return resolve(_host(), label, settings)[0]


def _foreign(folder: Path, old: str = "", new: str = "", body: str = "pass") -> MethodInfo:
    """A method of a file of its own, one piece of whose text is another."""
    # One process imports a module of one name once.
    file = folder / f"{folder.name}.py"
    text = method_text("mine", body)
    assert old in text
    file.write_text(text.replace(old, new) if old else text)
    host = PluginHost.of(PluginSources(files=(file,)), here={file.stem})
    return resolve(host, "mine", {})[0]


@pytest.mark.parametrize(
    ("label", "settings", "section"),
    [
        ("classifier-only", {}, UNTRAINED),
        ("averaging-weights[mixed]", {}, UNTRAINED),
        ("open-posterior[oracle]", {}, REFERENCE),
        ("crossx", {}, TRAINED),
        ("crossx[zero-step]", {}, UNTRAINED),
        ("crossx", {"rounds": "0"}, UNTRAINED),
        ("crossx[zero-step]", {"rounds": "1"}, TRAINED),
        ("meta-data", {}, TRAINED),
        ("siamese", {}, REFERENCE),
        ("siamese[generated]", {}, TRAINED),
    ],
)
def test_section_follows_from_training_and_needs(
    label: str, settings: dict[str, str], section: str
) -> None:
    assert section_of(_info(label, **settings)) == section


@pytest.mark.parametrize(
    ("old", "new", "section"),
    [
        ("", "", TRAINED),
        (SPEC, f"{SPEC[:-1]}, trains=True)", TRAINED),
        (SPEC, f"{SPEC[:-1]}, trains=False)", UNTRAINED),
        (CLASS, f"{CLASS}    @classmethod\n    def trains(cls, config): return False\n", UNTRAINED),
        (CLASS, f"{CLASS}    @classmethod\n    def trains(cls, config): return True\n", TRAINED),
    ],
)
def test_method_of_another_package_is_listed_as_it_declares(
    tmp_path: Path, old: str, new: str, section: str
) -> None:
    info = _foreign(tmp_path, old, new)
    assert section_of(info) == section
    record = synthetic_record("crossx").model_copy(update={"method": info})
    (layout,) = leaderboards([record])
    assert layout.sections == ((section, 1),)


@pytest.mark.parametrize("answer", ["None", "1", "'no'"])
def test_training_is_declared_by_a_truth_value(tmp_path: Path, answer: str) -> None:
    declared = f"{CLASS}    @classmethod\n    def trains(cls, config): return {answer}\n"
    with pytest.raises(PluginFault, match=r"trains\(\) returns .*; allowed: True or False"):
        _foreign(tmp_path, CLASS, declared)


def test_class_without_a_spec_declares_by_itself() -> None:
    class_of = PluginSources(classes=(class_source(ClassifierOnly),))
    assert not _info("classifier-only").trains
    assert resolve(PluginHost.of(class_of), "classifier-only", {})[0].trains is False


@pytest.mark.parametrize("trains", [True, False])
def test_record_keeps_whether_the_method_trains(tmp_path: Path, trains: bool) -> None:
    store = ResultStore(tmp_path)
    store.write(synthetic_record("mine", trains=trains))
    assert [record.method.trains for record in store] == [trains]


def test_committed_records_tell_what_the_methods_declare() -> None:
    found = {
        (r.method.label, r.method.trains, tuple(r.method.config.items()))
        for r in ResultStore(RESULTS)
        if all(not isinstance(value, list | dict) for value in r.method.config.values())
    }
    assert {trains for _, trains, _ in found} == {True, False}
    for label, trains, config in found:
        settings = {key: str(value).lower() for key, value in config if value is not None}
        assert _info(label, **settings).trains is trains, label
