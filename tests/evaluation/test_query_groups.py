"""Groups of queries are scored by themselves, against the same gallery."""

from __future__ import annotations

import numpy as np
import pytest

from dfbench.errors import InvalidInput
from dfbench.evaluation import Evaluation, evaluate
from dfbench.evaluation.harness import QueryMask

_RNG = np.random.default_rng(0)
QUERIES, GALLERY = _RNG.normal(size=(30, 4)), _RNG.normal(size=(80, 4))
QUERY_LABELS, GALLERY_LABELS = np.arange(30) % 5, np.arange(80) % 4
METRICS = ("map@all", "prec@30")


def _evaluation(groups: dict[str, QueryMask], keep: QueryMask | None = None) -> Evaluation:
    rows = np.ones(30, dtype=bool) if keep is None else keep
    labels = QUERY_LABELS[rows]
    return evaluate(
        QUERIES[rows], GALLERY, labels, GALLERY_LABELS, metrics=METRICS, groups=groups, seed=1
    )


def test_a_group_scores_what_its_queries_score_alone() -> None:
    few = np.isin(QUERY_LABELS, [0, 2])
    together = _evaluation({"few": few})
    assert together.groups["few"] == _evaluation({}, few).scores
    assert together.group_sizes == {"few": 12}


def test_the_group_of_all_queries_scores_what_all_score() -> None:
    evaluation = _evaluation({"all": np.ones(30, dtype=bool)})
    assert evaluation.groups["all"] == evaluation.scores
    assert evaluation.scores["map@all"].queries == 24


def test_a_group_without_a_query_that_has_photos_is_left_out() -> None:
    nobody, without_photos = np.zeros(30, dtype=bool), QUERY_LABELS == 4
    evaluation = _evaluation({"nobody": nobody, "without photos": without_photos})
    assert evaluation.groups == evaluation.group_sizes == {}


def test_scores_do_not_depend_on_groups() -> None:
    with_groups = _evaluation({"few": QUERY_LABELS == 0})
    assert with_groups.scores == _evaluation({}).scores


@pytest.mark.parametrize("mask", [np.ones(29, dtype=bool), np.arange(30)])
def test_a_group_is_a_truth_value_for_each_query(mask: QueryMask) -> None:
    with pytest.raises(InvalidInput, match=r"group 'few' has shape .*allowed: \(30,\) truth"):
        _evaluation({"few": mask})


def test_a_group_has_a_ceiling_of_its_own() -> None:
    evaluation = _evaluation({"few": QUERY_LABELS == 0})
    assert evaluation.groups["few"]["prec@30"].ceiling == pytest.approx(20 / 30)
