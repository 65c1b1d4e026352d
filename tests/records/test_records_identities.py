"""The identity of a record follows from its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfbench.records.identities import evaluation_identity, recorded_fit_identity
from dfbench.records.record import Record
from dfbench.records.store import ResultStore

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """The committed records."""
    return list(ResultStore(RESULTS))


def test_committed_records_have_the_identities_of_their_content(records: list[Record]) -> None:
    computed = [(record, recorded_fit_identity(record)) for record in records]
    assert all(fit_id in (None, record.fit_id) for record, fit_id in computed)
    assert all(evaluation_identity(record.fit_id) == record.eval_id for record in records)
    assert sum(fit_id is not None for _, fit_id in computed) > 400


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"numerics": "cuda-fp32"},
        {"scenario": "overlap=0.4"},
        {"budget.steps": 9999},
        {"method.version": 2},
        {"data.fingerprint": "0" * 32},
    ],
)
def test_any_change_of_what_determines_a_score_changes_the_identity(
    records: list[Record], change: dict[str, object]
) -> None:
    record = next(one for one in records if one.method.label == "crossx")
    ((name, value),) = change.items()
    part, _, inner = name.partition(".")
    if inner:
        value = getattr(record, part).model_copy(update={inner: value})
    assert recorded_fit_identity(record.model_copy(update={part: value})) != record.fit_id


def test_identity_with_inputs_that_a_record_lacks_is_left_open(records: list[Record]) -> None:
    named = {record.method.label: record for record in records}
    for label in ("alternative-data", "siamese[generated]"):
        assert recorded_fit_identity(named[label]) is None
