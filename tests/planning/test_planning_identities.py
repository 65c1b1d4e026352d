"""Identities of committed records: what is recorded stays the answer to the same request."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dfbench.budget import Budget
from dfbench.datasets.alternative import AlternativeImages
from dfbench.datasets.dataset import Dataset
from dfbench.planning.plan import Plan
from dfbench.planning.session import Session
from dfbench.plugins.info import MethodInfo
from dfbench.request import DataChoice, Places, Precision, RunRequest
from dfbench.teachers.recipe import TeacherRecipe

RESULTS = Path(__file__).resolve().parents[2] / "results" / "shapes"
SPARE_SHAPES = "e62063e4032fc64c4aedd8a4939db896"
"""Fingerprint of the spare classes of `shapes`."""
ROWS = ("crossx", "crossx-zero-step", "classifier-posterior", "alternative-data")


def _record(name: str) -> dict[str, Any]:
    """The committed record of a row's first seed in `closed`, in bfloat16."""
    files = RESULTS.glob(f"{name}-s0-????????????.json")
    records: list[dict[str, Any]] = [json.loads(f.read_text(encoding="utf-8")) for f in files]
    wanted = ("closed", "cpu-bf16")
    (record,) = (one for one in records if (one["scenario"], one["numerics"]) == wanted)
    return record


def _plan(record: dict[str, Any], precision: Precision = "bf16") -> Plan:
    """The plan of a record, from what the record says; its data are not opened."""
    here = Path()
    session = Session(
        request=RunRequest(
            method="any",
            data=DataChoice(name="shapes"),
            seed=record["seed"],
            precision=precision,
            places=Places(results=here, runs=here, cache=here),
        ),
        dataset=cast("Dataset", SimpleNamespace(fingerprint=record["data"]["fingerprint"])),
        find_alternative=lambda: AlternativeImages(
            "shapes (spare)", (), SPARE_SHAPES, lambda _: ()
        ),
        budget=Budget.model_validate(record["budget"]),
        recipe=TeacherRecipe.model_validate(record["recipe"]),
        device="cpu",
        offers={},
    )
    return Plan(session, MethodInfo.model_validate(record["method"]))


@pytest.mark.parametrize("name", ROWS)
def test_identities_of_committed_records_are_those_of_their_plans(name: str) -> None:
    record = _record(name)
    plan = _plan(record)
    for modality in ("photo", "sketch"):
        expected = record["teachers"][modality]["identity"]
        assert plan.session.networks.teacher(modality) == expected  # type: ignore[arg-type]
    assert plan.fit_id == record["fit_id"]
    assert plan.eval_id == record["eval_id"]


def test_identity_of_a_fit_follows_its_precision_and_those_of_its_teachers_do_not() -> None:
    record = _record(ROWS[0])
    single, half = _plan(record, "fp32"), _plan(record, "bf16")
    assert half.session.numerics == "cpu-bf16"
    assert half.fit_id != single.fit_id
    assert half.eval_id != single.eval_id
    assert half.networks == single.networks


def test_identity_of_a_fit_follows_the_pairs_that_it_learns_from() -> None:
    record = _record(ROWS[0])
    source = _plan(record)
    row = source.method.model_copy(update={"needs": ("generated pairs",), "pairs_of": "crossx"})
    other = source.method.model_copy(update={"version": 2})
    plans = [
        Plan(source.session, row, Plan(source.session, origin)) for origin in (source.method, other)
    ]
    assert plans[0].fit_id != plans[1].fit_id
