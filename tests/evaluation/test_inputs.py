"""Wrong input is refused in one line that names the fault; unusual input has a stated result."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dfbench.errors import DfbenchError, InvalidInput, UnknownName
from dfbench.evaluation import Evaluation, evaluate, precision_recall, top_k
from dfbench.evaluation.ranking.labels import Labels

Side = npt.NDArray[Any]

Q = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
G = np.random.default_rng(1).normal(size=(30, 4)).astype(np.float32)
QL = np.arange(6) % 3
GL = np.arange(30) % 3


def scored(
    queries: Side = Q,
    gallery: Side = G,
    query_labels: Labels = QL,
    gallery_labels: Labels = GL,
    **options: Any,
) -> Evaluation:
    return evaluate(queries, gallery, query_labels, gallery_labels, **{"bootstrap": 0, **options})


def spoilt(data: Side, row: Any, value: object) -> Side:
    data = data.copy()
    data[row] = value
    return data


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"queries": spoilt(Q, (4, 1), np.nan)}, "queries row 4 contains NaN"),
        ({"gallery": spoilt(G, (7, 0), np.inf)}, "gallery row 7 contains infinity"),
        (
            {"gallery": spoilt(G, 3, 1e30), "similarity": "inner"},
            r"row 3 has a norm of 2e\+30, the gallery's median is about .*; allowed: at most",
        ),
        (
            {"queries": spoilt(Q, 2, 1e30), "similarity": "euclidean"},
            r"queries row 2 has a norm of 2e\+30",
        ),
        ({"gallery": G[:, :3]}, "queries have 4 components and the gallery 3"),
        ({"gallery": G[0]}, r"gallery have shape \(4,\)"),
        ({"queries": Q[:0], "query_labels": QL[:0]}, r"queries have shape \(0, 4\)"),
        ({"queries": Q.tolist()}, "queries are a list"),
        ({"queries": Q.astype(complex)}, "queries have dtype complex128"),
        ({"queries": Q > 0}, "queries have dtype bool"),
        ({"queries": torch.tensor(Q > 0)}, "queries have dtype torch.bool"),
        ({"query_labels": QL[:5]}, r"query labels have shape \(5,\); allowed: \(6,\)"),
        ({"gallery_labels": GL.astype(float)}, "gallery labels are float64"),
        ({"gallery_labels": GL.astype(str)}, "query labels are int64 and gallery labels"),
        ({"gallery_labels": GL + 9}, "no query has a photo of its class"),
        ({"queries": spoilt(Q, 2, 0)}, "queries row 2 is zero"),
        ({"gallery": spoilt(G, 5, 0)}, "gallery row 5 is zero"),
        ({"metrics": ("prec@0",)}, "'prec@0' has k = 0"),
        ({"metrics": ("acc@0",)}, "'acc@0' has k = 0"),
        ({"metrics": ("ndcg@-3",)}, "'ndcg@-3' has k = -3"),
        ({"metrics": ("map@-3:voc",)}, "has k = -3"),
        ({"metrics": ("df-sbir:0",)}, "has cap = 0"),
        ({"metrics": ()}, "at least one"),
        ({"bootstrap": -1}, "bootstrap is -1"),
        ({"device": "cuda:99"}, "'cuda:99' is not available"),
    ],
)
def test_input_that_cannot_be_scored_is_refused_in_one_line(
    given: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        scored(**given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        {"metrics": ("mapp@all",)},
        {"metrics": ("map@all:hits",)},
        {"metrics": ("acc@all",)},
        {"metrics": ("recall",)},
        {"metrics": ("recall@all",)},
        {"metrics": ("ndcg@10:min",)},
        {"metrics": ("prec@all",)},
        {"similarity": "cosin"},
        {"device": "tpu"},
    ],
)
def test_unknown_names_come_with_the_allowed_ones(given: dict[str, Any]) -> None:
    with pytest.raises(UnknownName, match="allowed: "):
        scored(**given)


@pytest.mark.parametrize("k", [0, -1, 31])
def test_top_k_refuses_k_outside_the_gallery(k: int) -> None:
    with pytest.raises(InvalidInput, match="allowed: an integer from 1 to 30"):
        top_k(Q, G, k)


def test_curve_needs_two_levels() -> None:
    with pytest.raises(InvalidInput, match="levels is 1"):
        precision_recall(Q, G, QL, GL, levels=1)


def test_query_without_relevant_photos_is_reported_and_left_out() -> None:
    result = scored(query_labels=np.array([0, 1, 2, 7, 0, 1]))
    assert result.skipped.tolist() == [3]
    assert np.isnan(result.per_query["map@all"][3])
    assert result.scores["map@all"].queries == 5
    assert result.scores["map@all"].value == np.nanmean(result.per_query["map@all"])
    assert 7 not in result.per_class["map@all"]


def test_zero_vectors_tie_with_everything_they_are_equally_near_to_under_inner_product() -> None:
    result = scored(queries=np.zeros_like(Q), similarity="inner")
    assert result.scores["prec@100"].value == pytest.approx(10 / 100)
    assert result.scores["acc@1"].value == pytest.approx(1 / 3)


def test_k_beyond_the_gallery_divides_by_k_and_meets_its_ceiling() -> None:
    score = scored(metrics=("prec@200",)).scores["prec@200"]
    assert score.value == pytest.approx(10 / 200)
    assert score.ceiling == pytest.approx(10 / 200)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float64, np.int8, np.uint8, np.int64, np.uint16, ">f4"]
)
def test_other_number_types_score_as_their_float32_values(dtype: str | type) -> None:
    queries, gallery = (np.abs(side * 20).astype(dtype) for side in (Q, G))
    plain = scored(queries=queries.astype(np.float32), gallery=gallery.astype(np.float32))
    other = scored(queries=queries, gallery=gallery)
    for name, values in plain.per_query.items():
        np.testing.assert_array_equal(other.per_query[name], values)


def test_bfloat16_tensors_with_gradients_score_as_their_float32_values() -> None:
    queries, gallery = (torch.tensor(side, dtype=torch.bfloat16) for side in (Q, G))
    plain = scored(queries=queries.float(), gallery=gallery.float())
    other = scored(queries=queries.requires_grad_(), gallery=gallery)
    np.testing.assert_array_equal(other.per_query["map@all"], plain.per_query["map@all"])


def test_strings_tensors_and_lists_of_labels_mean_the_same() -> None:
    names = np.array(["owl", "cat", "bee"])
    expected = scored().scores
    assert scored(query_labels=names[QL], gallery_labels=list(names[GL])).scores == expected
    assert scored(query_labels=torch.tensor(QL), gallery_labels=GL.tolist()).scores == expected
    per_class = scored(query_labels=names[QL], gallery_labels=names[GL]).per_class["map@all"]
    assert set(per_class) == {"owl", "cat", "bee"}


def test_macro_mean_weighs_classes_alike() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2])
    result = scored(query_labels=labels)
    values = result.per_query["map@all"]
    expected = np.mean([values[:4].mean(), values[4], values[5]])
    assert result.scores["map@all"].macro == pytest.approx(expected)


def test_read_only_and_strided_arrays_are_scored() -> None:
    wide = np.repeat(G, 2, axis=1)
    wide.flags.writeable = False
    result = scored(gallery=wide[:, ::2])
    np.testing.assert_array_equal(result.per_query["map@all"], scored().per_query["map@all"])


def test_every_refusal_is_a_user_error() -> None:
    assert issubclass(InvalidInput, DfbenchError)
    assert issubclass(UnknownName, DfbenchError)
