"""Each need is declared once: what it is, how it is identified, made, loaded and handed over."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
from rows import supplies
from toy import toy_setting

from dfbench.errors import InvalidConfig, UndeclaredNeed
from dfbench.method import Setting
from dfbench.need import Need, ProvidedNeeds, lineage, supplies_of, supply_identity
from dfbench.teachers.identities import NetworkIdentities
from dfbench.teachers.recipe import TeacherRecipe

ACCESS = {
    Need.MODALITY_CLASSIFIER: lambda s: s.modality_classifier,
    Need.LEAKY_MODALITY_CLASSIFIER: lambda s: s.leaky_modality_classifier,
    Need.ACTIVATION_RECORDS: lambda s: s.activation_records("photo"),
    Need.ALTERNATIVE_DATA: lambda s: s.alternative_images("sketch"),
    Need.UNIFIED_TEACHER: lambda s: s.unified_teacher("photo"),
    Need.INITIAL_CLASSIFIER: lambda s: s.initial_classifier("sketch"),
    Need.GENERATED_PAIRS: lambda s: s.generated_pairs(),
    Need.KNOWN_CLASS_ORACLE: lambda s: s.by_knowledge(None, None),
    Need.TRAINING_DATA: lambda s: s.training_images("photo"),
}


def _identities(initialisation: str = "alternative") -> NetworkIdentities:
    recipe = TeacherRecipe.model_validate({"initialisation": initialisation})
    return NetworkIdentities("data", lambda: "other", recipe, seed=0, numerics="cpu-fp32")


@pytest.mark.parametrize("need", list(Need), ids=str)
def test_need_is_handed_over_only_where_it_is_declared(need: Need, tmp_path: Path) -> None:
    undeclared = {other: given for other, given in supplies().items() if other is not need}
    setting = toy_setting(tmp_path, undeclared)
    assert isinstance(setting, ProvidedNeeds)
    with pytest.raises(UndeclaredNeed, match=f"Need.{need.name}"):
        ACCESS[need](setting)


@pytest.mark.parametrize("need", list(Need), ids=str)
def test_need_is_its_text_in_records_and_messages(need: Need) -> None:
    assert Need(need.value) is need
    assert need == need.value == str(need)
    assert copy.deepcopy(need) is need


def test_needs_that_teachers_made_elsewhere_lack_are_those_of_training_images() -> None:
    assert {need for need in Need if need.provision.from_training_images} == {
        Need.LEAKY_MODALITY_CLASSIFIER,
        Need.ACTIVATION_RECORDS,
        Need.UNIFIED_TEACHER,
        Need.INITIAL_CLASSIFIER,
        Need.TRAINING_DATA,
    }


# Computed before needs had a table of their own: runs of then are still found.
IDENTITIES = {
    "modality classifier": "c2787c771c99288570f845d2a8b5286c",
    "leaky modality classifier": "28d4a6acdd94df30d6e1ce6673746dc2",
    "photo activation records": "7db64a34ef7fb7e59ba0dd7540e207a7",
    "sketch activation records": "905759e9470cc9d053bca4d8f75f3986",
    "unified teacher": "c2ce341062101c9eee9adb6595d685c6",
    "initial classifier": "c3dd81fd4a272f94ed4ae0ac1bc3cb74",
}


def test_identities_of_supplies_are_what_they_were() -> None:
    networks = _identities()
    assert {n: supply_identity(networks, n) for n in supplies_of(Need)} == IDENTITIES


@pytest.mark.parametrize(
    ("name", "teacher"),
    [
        ("photo teacher", "photo"),
        ("sketch teacher", "sketch"),
        ("photo activation records", "photo"),
        ("sketch activation records", "sketch"),
        ("unified teacher", ""),
        ("modality classifier", None),
        ("leaky modality classifier", None),
        ("initial classifier", None),
    ],
)
@pytest.mark.parametrize("initialisation", ["alternative", "random"])
def test_lineage_names_what_has_to_be_made_first(
    name: str, teacher: str | None, initialisation: str
) -> None:
    networks = _identities(initialisation)
    if (name, initialisation) == ("initial classifier", "random"):
        with pytest.raises(InvalidConfig, match="provides no initial classifier"):
            lineage(networks, name)
        return
    own, *others = lineage(networks, name)
    start = [] if networks.initialisation is None else [networks.initialisation]
    of = [networks.photo if teacher == "photo" else networks.sketch] if teacher else []
    if name.endswith(" teacher") and teacher:
        assert [own, *others] == [*of, *start]
    else:
        assert own == supply_identity(networks, name)
        assert others == ([] if teacher is None else [*of, *start])


def test_table_of_needs_imports_no_torch() -> None:
    code = "import sys, dfbench.need; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_setting_offers_what_is_provided() -> None:
    assert issubclass(Setting, ProvidedNeeds)
