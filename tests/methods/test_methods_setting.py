"""What a method is given, and the rows that only combine teachers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from dfbench_baselines.alternative_data import AlternativeData
from dfbench_baselines.classifiers import (
    ClassifierLogits,
    ClassifierOnly,
    ClassifierPosterior,
    PosteriorConfig,
)
from dfbench_baselines.crossx import CrossX, CrossXConfig
from dfbench_baselines.gaussian_prior import GaussianPrior
from dfbench_baselines.meta_data import MetaData
from dfbench_baselines.unimodal_distillation import UnimodalDistillation
from torch import Tensor
from toy import setting_of, toy_setting, untrained_teacher

from dfbench.datasets import Modality
from dfbench.errors import UndeclaredNeed
from dfbench.learning.loop import RandomState
from dfbench.learning.objectives.queue import QueueAndProxies
from dfbench.learning.pool import Pairs
from dfbench.method import Method, MethodConfig, Need, Setting
from dfbench.networks import ModalityNet

MakeSetting = Callable[..., Setting]


@pytest.fixture
def make_setting(tmp_path: Path) -> MakeSetting:
    """A setting with untrained teachers of given classes."""

    def make(
        photo: tuple[str, ...] = ("a", "b", "c"),
        sketch: tuple[str, ...] = ("a", "b", "c"),
        *,
        seed: int = 0,
        **budget: object,
    ) -> Setting:
        torch.manual_seed(0)
        teachers = (untrained_teacher("photo", photo), untrained_teacher("sketch", sketch))
        supplies = {Need.MODALITY_CLASSIFIER: ModalityNet().requires_grad_(False).eval()}
        return setting_of(tmp_path, *teachers, supplies, seed=seed, **budget)

    return make


def _images(count: int = 5) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(3))


def test_classes_are_the_sorted_union_of_both_teachers(make_setting: MakeSetting) -> None:
    assert make_setting(("c", "a"), ("b", "c")).classes == ("a", "b", "c")


def test_posterior_is_zero_for_classes_the_teacher_does_not_know(make_setting: MakeSetting) -> None:
    setting = make_setting(("c", "a"), ("b", "c"))
    posterior = setting.posterior("photo", torch.tensor([[0.0, 100.0], [100.0, 0.0]]))
    assert torch.allclose(posterior, torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]))
    assert not setting.posterior("sketch", torch.zeros(2, 2))[:, 0].any()


def test_labels_are_the_teachers_posterior_without_gradient(make_setting: MakeSetting) -> None:
    setting = make_setting()
    images = _images().requires_grad_()
    expected = setting.photo_teacher(images).logits.softmax(dim=1)
    assert torch.allclose(setting.label("photo", images), expected, atol=1e-6)
    assert not setting.label("photo", images).requires_grad


def test_undeclared_need_names_method_need_and_remedy(make_setting: MakeSetting) -> None:
    setting = make_setting()
    message = "method 'toy' asked for 'alternative data' .* needs.. return Need.ALTERNATIVE_DATA"
    with pytest.raises(UndeclaredNeed, match=message):
        setting.alternative_images("photo")
    with pytest.raises(UndeclaredNeed, match=r"Need\.TRAINING_DATA"):
        setting.training_images("sketch")
    assert setting.modality_classifier(_images()).shape == (5,)


@pytest.mark.parametrize(
    ("need", "touch"),
    [
        (Need.LEAKY_MODALITY_CLASSIFIER, lambda s: s.leaky_modality_classifier),
        (Need.UNIFIED_TEACHER, lambda s: s.unified_teacher("photo")),
        (Need.INITIAL_CLASSIFIER, lambda s: s.initial_classifier("photo")),
        (Need.ACTIVATION_RECORDS, lambda s: s.activation_records("sketch")),
        (Need.GENERATED_PAIRS, lambda s: s.generated_pairs()),
    ],
)
def test_nothing_undeclared_is_handed_out(
    need: Need, touch: Callable[[Setting], object], make_setting: MakeSetting
) -> None:
    with pytest.raises(UndeclaredNeed, match=rf"asked for '{need}' .* Need\.{need.name}"):
        touch(make_setting())


def test_setting_shows_no_test_images_and_no_dataset(make_setting: MakeSetting) -> None:
    public = {name for name in dir(make_setting()) if not name.startswith("_")}
    assert not {name for name in public if "test" in name or "data" in name or "quer" in name}


def test_random_numbers_depend_on_seed_and_name_alone(make_setting: MakeSetting) -> None:
    def drawn(setting: Setting, name: str) -> torch.Tensor:
        return torch.rand(3, generator=setting.generator(name))

    first = make_setting()
    torch.rand(5)
    assert torch.equal(drawn(first, "noise"), drawn(make_setting(), "noise"))
    assert not torch.equal(drawn(first, "noise"), drawn(first, "pool"))
    assert not torch.equal(drawn(first, "noise"), drawn(make_setting(seed=1), "noise"))


def test_seeded_block_leaves_the_global_generator_as_it_was(make_setting: MakeSetting) -> None:
    setting = make_setting()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with setting.seeded("head"):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with setting.seeded("head"):
        assert torch.equal(torch.rand(3), inside)


def test_encoder_from_its_teacher_has_its_backbone_and_frozen_statistics(
    make_setting: MakeSetting,
) -> None:
    setting = make_setting()
    encoder = setting.new_encoder("photo")
    own = encoder.backbone.state_dict()
    teachers = setting.photo_teacher.network.backbone.state_dict()
    assert all(torch.equal(own[name], teachers[name]) for name in own)
    assert encoder.frozen_statistics
    assert all(p.requires_grad for p in encoder.parameters())


class _Killed(Exception):
    pass


def _students_that_choose_their_images(setting: Setting, steps: int | None) -> dict[str, Tensor]:
    """Weights and statistics of students that learn from the images they are least sure of.

    They classify before their first step, and are killed after `steps` of them.
    """
    students = setting.new_students()
    draws = setting.generator("draws")
    done = 0

    def draw() -> Pairs:
        nonlocal done
        if done == steps:
            raise _Killed
        done += 1
        images = torch.rand(16, 3, 16, 16, generator=draws)
        with torch.no_grad():
            unsure = students.classify("photo", images).softmax(dim=1).amax(dim=1).argsort()[:8]
        return Pairs(images[unsure], images[unsure])

    with suppress(_Killed):
        setting.teach(students, draw, {"draws": RandomState(draws)})
    return dict(students.state_dict())


def test_students_that_classify_before_a_step_resume_as_if_never_killed(tmp_path: Path) -> None:
    whole = _students_that_choose_their_images(toy_setting(tmp_path / "whole", steps=8), None)
    killed = [toy_setting(tmp_path / "killed", steps=8, checkpoint_seconds=0) for _ in range(2)]
    _students_that_choose_their_images(killed[0], 5)
    resumed = _students_that_choose_their_images(killed[1], None)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


@pytest.mark.parametrize("modality", ["photo", "sketch"])
def test_new_encoder_and_new_students_keep_their_teachers_statistics_before_any_train(
    modality: Modality, make_setting: MakeSetting
) -> None:
    setting = make_setting()
    own = setting.teacher(modality).network.backbone.state_dict()
    students = setting.new_students()
    students.classify(modality, _images())
    encoder = setting.new_encoder(modality)
    encoder(_images())
    for made in (encoder, getattr(students, modality)):
        after = made.backbone.state_dict()
        assert all(torch.equal(after[name], own[name]) for name in own if "running" in name)


def test_random_encoder_shares_nothing_with_its_teacher(make_setting: MakeSetting) -> None:
    setting = make_setting(encoder_init="random")
    encoder = setting.new_encoder("photo")
    name = "stages.0.conv1.weight"
    teachers = setting.photo_teacher.network.backbone.state_dict()
    assert not torch.equal(encoder.backbone.state_dict()[name], teachers[name])
    assert not encoder.frozen_statistics
    again = setting.new_encoder("photo").state_dict()
    assert all(torch.equal(again[key], value) for key, value in encoder.state_dict().items())


def _batch() -> Pairs:
    return Pairs(_images(8), 1 - _images(8))


def test_students_learn_pairs_and_remember_them(make_setting: MakeSetting) -> None:
    setting = make_setting(steps=60, learning_rate=0.01)
    students = setting.new_students()
    losses = [students.step(_batch()) for _ in range(40)]
    assert sum(losses[-5:]) < sum(losses[5:10]) - 0.5
    assert isinstance(students.objective, QueueAndProxies)
    assert len(students.objective.photo_queue.read()[0]) == 20


def test_students_leave_their_teachers_alone(make_setting: MakeSetting) -> None:
    setting = make_setting()
    before = [t.clone() for t in setting.photo_teacher.state_dict().values()]
    setting.new_students().step(_batch())
    after = setting.photo_teacher.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_students_without_a_queue_learn_too(make_setting: MakeSetting) -> None:
    students = make_setting(queue_size=0).new_students()
    assert students.step(_batch()).isfinite()


def test_posterior_of_students_is_a_second_reading_by_inner_product(
    make_setting: MakeSetting,
) -> None:
    encoders = make_setting().new_students().encoders()
    assert encoders.similarity == "cosine"
    representation = encoders.representations["posterior"]
    assert representation.similarity == "inner"
    assert torch.allclose(representation.photo(_images()).sum(dim=1), torch.ones(5), atol=1e-5)


def test_classifier_only_reads_penultimate_features(make_setting: MakeSetting) -> None:
    setting = make_setting()
    encoders = ClassifierOnly(MethodConfig()).fit(setting)
    expected = setting.sketch_teacher.network.features(_images())
    assert torch.equal(encoders.sketch(_images()), expected)
    assert encoders.similarity == "cosine"


def test_classifier_logits_are_centred_and_zero_for_unknown_classes(
    make_setting: MakeSetting,
) -> None:
    setting = make_setting(("a", "c"), ("a", "b", "c"))
    rows = ClassifierLogits(MethodConfig()).fit(setting).photo(_images())
    assert rows.shape == (5, 3)
    assert not rows[:, 1].any()
    assert torch.allclose(rows.sum(dim=1), torch.zeros(5), atol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_inner_product_of_posteriors_is_the_probability_of_a_common_class(
    temperature: float, make_setting: MakeSetting
) -> None:
    setting = make_setting(("a", "c"), ("b", "c"))
    encoders = ClassifierPosterior(PosteriorConfig(temperature=temperature)).fit(setting)
    p, q = encoders.photo(_images()), encoders.sketch(_images())
    logits = [setting.teacher(m)(_images()).logits / temperature for m in ("photo", "sketch")]
    expected = logits[0].softmax(1)[:, 1] * logits[1].softmax(1)[:, 1]
    assert torch.allclose((p * q).sum(dim=1), expected, atol=1e-6)
    assert encoders.similarity == "inner"


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({}, {Need.MODALITY_CLASSIFIER}),
        ({"modality": 0}, set()),
        ({"rounds": 0}, set()),
        ({"batch_norm": 3.0}, {Need.MODALITY_CLASSIFIER}),
    ],
)
def test_crossx_declares_the_modality_classifier_exactly_if_it_is_used(
    changes: dict[str, float], needs: set[Need]
) -> None:
    assert CrossX.needs(CrossXConfig.model_validate(changes)) == needs


@pytest.mark.parametrize(
    "method",
    [
        ClassifierOnly,
        ClassifierLogits,
        ClassifierPosterior,
        UnimodalDistillation,
        GaussianPrior,
        MetaData,
        AlternativeData,
        CrossX,
    ],
)
def test_every_setting_of_a_built_in_method_is_explained(method: type[Method]) -> None:
    assert all(field.description for field in method.Config.model_fields.values())
    for name, changes in method.variants.items():
        assert method.Config.model_validate(changes) != method.Config(), name


def _crossx(**changes: object) -> CrossX:
    config = {"rounds": 2, "estimator_steps": 4, "estimator_batch": 8, "estimator_width": 8}
    return CrossX(CrossXConfig.model_validate({**config, **changes}))


def test_zero_step_control_is_the_encoders_as_the_budget_starts_them(
    make_setting: MakeSetting,
) -> None:
    setting = make_setting()
    encoders = _crossx(rounds=0).fit(setting)
    fresh = setting.new_encoder("photo").eval()
    assert torch.equal(encoders.photo(_images()), fresh(_images()))


def test_crossx_trains_both_encoders_and_leaves_its_teachers_as_they_were(
    make_setting: MakeSetting,
) -> None:
    setting = make_setting()
    teachers = (setting.photo_teacher, setting.sketch_teacher)
    before = [t.clone() for teacher in teachers for t in teacher.state_dict().values()]
    encoders = _crossx().fit(setting)
    after = [t for teacher in teachers for t in teacher.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    for modality in ("photo", "sketch"):
        start = setting.new_encoder(modality).head.weight  # type: ignore[arg-type]
        assert not torch.equal(getattr(encoders, modality).head.weight, start)
    assert all(p.requires_grad for p in encoders.photo.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_norm": 3.0},
        {"modality": 0.0},
        {"adversary": 0.0},
        {"pair_targets": "hard"},
        {"queue_weight": 0.0},
        {"proxy_weight": 0.0},
        {"rounds": 1},
        {"warm_up": 1.0},
        {"pool_batches": 1},
    ],
    ids=str,
)
def test_crossx_runs_with_any_part_left_out(
    changes: dict[str, object], make_setting: MakeSetting
) -> None:
    encoders = _crossx(**changes).fit(make_setting())
    assert encoders.photo(_images()).isfinite().all()


def test_crossx_knows_the_union_of_overlapping_classes(make_setting: MakeSetting) -> None:
    encoders = _crossx().fit(make_setting(("a", "b"), ("b", "c")))
    assert encoders.representations["posterior"].photo(_images()).shape == (5, 3)


@pytest.mark.parametrize(
    ("steps", "warm_up", "rounds"),
    [
        (4, 0.5, 8),
        (4, 1.0, 3),
        (12, 0.1, 3),
        (4, 0.1, 8),
    ],
)
def test_crossx_has_pairs_whenever_students_draw(
    steps: int, warm_up: float, rounds: int, make_setting: MakeSetting
) -> None:
    method = _crossx(warm_up=warm_up, rounds=rounds, estimator_steps=steps)
    encoders = method.fit(make_setting(steps=8))
    assert encoders.photo(_images()).isfinite().all()
