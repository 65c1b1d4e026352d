from __future__ import annotations

import pickle
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import Field, TypeAdapter

from dfbench.budget import Budget
from dfbench.errors import InvalidConfig, UnknownName
from dfbench.method import MethodConfig
from dfbench.planning.settings import (
    changed_settings,
    configure,
    shared_settings,
)
from dfbench.plugins.info import MethodInfo, parse_label
from dfbench.reporting.tables.description import setting_rows
from dfbench.request.settings import Settings
from dfbench.teachers.recipe import PRETRAINED, PRETRAINED_BUDGET, TeacherRecipe


class Config(MethodConfig):
    steps: int = Field(default=10, ge=1)
    rate: float = Field(default=0.1, gt=0)
    kind: Literal["soft", "hard"] = "soft"
    wide: bool = False
    variants: ClassVar[int] = 3


def test_texts_become_values_of_the_fields_types() -> None:
    given = {"steps": "3", "rate": "1e-3", "kind": "hard", "wide": "true"}
    config = configure(Config, {}, given, "method 'm'")
    assert config == Config(steps=3, rate=0.001, kind="hard", wide=True)


def test_variant_stands_below_what_the_user_sets() -> None:
    config = configure(Config, {"steps": 5, "wide": True}, {"steps": "7"}, "method 'm[v]'")
    assert (config.steps, config.wide) == (7, True)


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("steps", "many", "valid integer"),
        ("steps", "1.5", "valid integer"),
        ("steps", "0", "greater than or equal to 1"),
        ("steps", "", "valid integer"),
        ("rate", "0", "greater than 0"),
        ("rate", "nan", "finite number"),
        ("rate", "fast", "valid number"),
        ("kind", "softly", "'soft' or 'hard'"),
        ("wide", "perhaps", "valid boolean"),
    ],
)
def test_value_of_the_wrong_type_or_range_is_quoted_with_its_rule(
    key: str, value: str, rule: str
) -> None:
    with pytest.raises(InvalidConfig) as fault:
        configure(Config, {}, {key: value}, "method 'm'")
    text = str(fault.value)
    assert f"setting {key}={value!r} of method 'm'" in text
    assert rule in text
    assert "\n" not in text


@pytest.mark.parametrize("value", ["inf", "-inf"])
def test_infinite_setting_is_refused(value: str) -> None:
    with pytest.raises(InvalidConfig, match="rate"):
        configure(Config, {}, {"rate": value}, "method 'm'")


def test_unknown_key_is_answered_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="setting of method 'm' 'stepz'; did you mean 'steps'"):
        configure(Config, {}, {"stepz": "3"}, "method 'm'")


def test_keys_of_the_budget_are_named_as_they_are_typed() -> None:
    with pytest.raises(InvalidConfig, match=r"setting budget\.steps='x'.*--set budget\.steps="):
        configure(Budget, {}, {"steps": "x"}, "the budget", "budget.")


def test_settings_go_to_their_owners() -> None:
    parts = Settings({"a": "1", "budget.steps": "2", "teachers.steps": "3", "x.y": "4"})
    assert parts.method == {"a": "1", "x.y": "4"}
    assert parts.budget == {"steps": "2"}
    assert parts.teachers == {"steps": "3"}
    stored = TypeAdapter(Settings).dump_json(parts)
    assert TypeAdapter(Settings).validate_json(stored) == parts


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({}, {}),
        ({"steps": 5, "rate": 0.5}, {"steps": "5", "rate": "0.5"}),
        ({"average": True, "plain": False}, {"average": "true", "plain": "false"}),
        ({"weights": Path("a.safetensors")}, {"weights": "a.safetensors"}),
        (Settings({"steps": 5}), {"steps": "5"}),
    ],
)
def test_settings_are_texts_by_key(given: object, texts: dict[str, str]) -> None:
    for settings in (Settings(given), TypeAdapter(Settings).validate_python(given)):
        assert settings == texts
        assert {**settings} == texts
        assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301  # our own


@pytest.mark.parametrize("given", ["steps=5", 5, None, ["steps"], {5: "steps"}])
def test_other_things_are_no_settings(given: object) -> None:
    with pytest.raises(ValueError, match="allowed: settings by key"):
        Settings(given)
    with pytest.raises(ValueError, match="allowed: settings by key"):
        TypeAdapter(Settings).validate_python(given)


@pytest.mark.parametrize("model", [Budget, TeacherRecipe])
def test_every_shared_setting_is_explained(model: type[Budget | TeacherRecipe]) -> None:
    rows = setting_rows(model, dict(model()))
    assert rows
    assert all(meaning for *_, meaning in rows)


@pytest.mark.parametrize("model", [Budget, TeacherRecipe, Config])
def test_configurations_are_frozen_and_closed(model: type) -> None:
    with pytest.raises(ValueError, match="steps"):
        model().steps = 3
    with pytest.raises(ValueError, match="stepz"):
        model(stepz=3)


@pytest.mark.parametrize("label", ["crossx[", "crossx[]", "[bn]", "crossx[bn]x", "", "a[b][c]"])
def test_label_that_is_none_is_quoted(label: str) -> None:
    with pytest.raises(UnknownName) as fault:
        parse_label(label)
    assert repr(label) in str(fault.value)


@pytest.mark.parametrize("label", ["crossx", "crossx[bn]"])
def test_label_of_a_row_leads_back_to_it(label: str) -> None:
    name, variant = parse_label(label)
    row = MethodInfo(
        name=name,
        variant=variant,
        title="T",
        version=1,
        plugin="p",
        plugin_version="1",
        config={},
        needs=(),
        beside=(),
    )
    assert row.label == label


PRETRAINED_STARTS = (
    {"network": "efficientnet-lite0"},
    {"network": "efficientnet-lite2@128"},
    {"network": "efficientnet-lite0", "initialisation": "imagenet"},
    {"network": "resnet18", "initialisation": "imagenet"},
    {"initialisation": "imagenet"},
    {"network": "resnet18", "weights": "own.pth"},
)
PLAIN_STARTS: tuple[dict[str, str], ...] = (
    {},
    {"network": "resnet18"},
    {"network": "timm:tf_efficientnet_lite0"},
    {"network": "efficientnet-lite0", "initialisation": "random"},
    {"network": "efficientnet-lite0", "initialisation": "alternative"},
    {"initialisation": "random"},
)


@pytest.mark.parametrize("start", PRETRAINED_STARTS)
def test_imagenet_weights_bring_defaults_of_their_own(start: dict[str, str]) -> None:
    budget, recipe = shared_settings({}, start)
    assert {key: getattr(recipe, key) for key in PRETRAINED} == PRETRAINED
    assert {key: getattr(budget, key) for key in PRETRAINED_BUDGET} == PRETRAINED_BUDGET
    assert recipe.weight_decay == TeacherRecipe().weight_decay
    assert recipe.pretrained


@pytest.mark.parametrize("start", PLAIN_STARTS)
def test_other_starts_keep_the_defaults(start: dict[str, str]) -> None:
    budget, recipe = shared_settings({}, start)
    assert budget == Budget()
    assert recipe.model_dump(exclude={*start}) == TeacherRecipe().model_dump(exclude={*start})
    assert not recipe.pretrained


@pytest.mark.parametrize("start", PRETRAINED_STARTS)
def test_settings_that_are_given_win_over_those_of_imagenet_weights(start: dict[str, str]) -> None:
    budget, recipe = shared_settings({"steps": "7"}, {**start, "steps": "9", "batch_size": "128"})
    assert (budget.steps, recipe.steps, recipe.batch_size) == (7, 9, 128)
    assert recipe.learning_rate == PRETRAINED["learning_rate"]


@pytest.mark.parametrize("start", [*PRETRAINED_STARTS, *PLAIN_STARTS])
@pytest.mark.parametrize("more", [{}, {"steps": "800", "learning_rate": "0.1"}, {"steps": "5"}])
def test_changed_settings_lead_back_to_what_they_are_of(
    start: dict[str, str], more: dict[str, str]
) -> None:
    budget, recipe = shared_settings(more, {**start, **more})
    changed = {key: str(value) for key, value in changed_settings(budget, recipe).items()}
    parts = Settings(changed)
    assert shared_settings(parts.budget, parts.teachers) == (budget, recipe)
    assert changed.keys() <= {f"teachers.{key}" for key in (*start, *more)} | {
        f"budget.{key}" for key in more
    }


def test_misspelt_setting_of_a_network_with_its_own_defaults_is_told_so() -> None:
    with pytest.raises(UnknownName, match="did you mean 'learning_rate'"):
        shared_settings({}, {"network": "efficientnet-lite0", "learning_rat": "1"})


class Required(MethodConfig):
    width: int
    steps: int = 10


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        ({}, {"width": "3"}, (3, 10)),
        ({"width": 5}, {}, (5, 10)),
        ({"width": 5}, {"steps": "7"}, (5, 7)),
        ({"width": 5}, {"width": "3"}, (3, 10)),
    ],
)
def test_setting_without_default_comes_from_the_variant_or_the_user(
    base: dict[str, int], given: dict[str, str], expected: tuple[int, int]
) -> None:
    config = configure(Required, base, given, "method 'm'")
    assert (config.width, config.steps) == expected


def test_missing_setting_is_named_with_the_option_that_gives_it() -> None:
    with pytest.raises(InvalidConfig, match="method 'm' has no default for width; give --set wid"):
        configure(Required, {}, {"steps": "7"}, "method 'm'")


def test_variant_with_a_setting_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(InvalidConfig, match="setting widht=5 of method 'm'"):
        configure(Config, {"widht": 5}, {"steps": "7"}, "method 'm'")
