"""The first page of a report: charts, overlap curves and pictures of each dataset and scenario."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from shelf import Shelf
from site_shelf import furnish, words

from dfbench.budget import Budget
from dfbench.need import Need

SVG = "{http://www.w3.org/2000/svg}"
DATA = tuple(need.value for need in Need if need.provision.reference)


def _page(shelf: Shelf) -> str:
    target = shelf.place / "report"
    finished = shelf.call("report", "-o", str(target), "--runs", str(shelf.runs))
    assert finished.status == 0, finished.err
    return (target / "index.html").read_text(encoding="utf-8")


def _charts(page: str, kind: str) -> list[ElementTree.Element]:
    found = re.findall(rf'<svg class="{kind}".*?</svg>', page, re.DOTALL)
    named = [one.replace("<svg", f'<svg xmlns="{SVG[1:-1]}"', 1) for one in found]
    return [ElementTree.fromstring(one) for one in named]  # noqa: S314  # a page made by the test


def _names(chart: ElementTree.Element) -> list[str]:
    return [one.text.split(" .")[0] for one in chart.iter(f"{SVG}title") if one.text]


def _marks(chart: ElementTree.Element, kind: str) -> int:
    return sum(one.get("class") == kind for one in chart.iter())


def test_each_dataset_and_scenario_has_a_chart_that_its_card_leads_to(shelf: Shelf) -> None:
    places = [("sketchy", "closed"), ("sketchy", "unseen=0.5"), ("sketchy", "overlap=0.5")]
    for dataset, scenario in [*places, ("tu-berlin", "closed")]:
        shelf.add("classifier-posterior", 0.2, dataset=dataset, scenario=scenario)
    page = _page(shelf)
    assert len(_charts(page, "methods")) == 4
    cards = re.findall(r'<li><a href="#([\w-]+)">', page)
    assert len(cards) == 4
    assert set(cards) == set(re.findall(r'<article class="panel" id="([\w-]+)"', page))
    assert page.index('id="glance"') < page.index('id="all-rows"')


def test_chart_marks_chance_reference_and_published_number(shelf: Shelf) -> None:
    shelf.add_seeds("classifier-posterior", 0.3)
    shelf.add_seeds("crossx", 0.2, posterior=0.25)
    shelf.add_seeds("crossx[bn]", 0.1, posterior=0.2)
    (chart,) = _charts(_page(shelf), "methods")
    found = {kind: _marks(chart, kind) for kind in ("chance", "reference", "published")}
    assert found == {"chance": 1, "reference": 1, "published": 1}
    assert (_marks(chart, "first"), _marks(chart, "second")) == (3, 2)
    assert "Crossx .650 [.592, .707], posterior .700, published .827" in chart.get("aria-label", "")


@pytest.mark.parametrize(
    ("dataset", "scenario", "label"),
    [
        ("sketchy", "unseen=0.5", "crossx"),
        ("shapes", "closed", "crossx"),
        ("sketchy", "closed", "crossx[bn]"),
        ("sketchy", "closed", "mine"),
        ("sketchy", "overlap=0.5", "averaging-weights"),
    ],
)
def test_nothing_is_marked_as_published_that_no_paper_printed(
    shelf: Shelf, dataset: str, scenario: str, label: str
) -> None:
    shelf.add(label, 0.2, dataset=dataset, scenario=scenario)
    page = _page(shelf)
    (chart,) = _charts(page, "methods")
    assert (_marks(chart, "published"), _marks(chart, "reference")) == (0, 0)
    assert "published" not in words(page.split('id="glance"')[1].split('id="rows"')[0])


def test_a_crowded_chart_keeps_the_reference_and_counts_the_rest(shelf: Shelf) -> None:
    shelf.add("classifier-posterior", 0.0)
    for number in range(11):
        shelf.add(f"mine-{number}", 0.1 + number / 100)
        shelf.add(f"mine-{number}[other]", 0.3)
    page = _page(shelf)
    (chart,) = _charts(page, "methods")
    names = _names(chart)
    assert len(names) == 10
    assert "Classifier-Posterior" in names
    assert not any("[" in name for name in names)
    assert ">13 more</a>" in page


def test_methods_of_another_budget_are_not_charted_together(shelf: Shelf) -> None:
    for label in ("mib", "triplet"):
        shelf.add(label, 0.1)
    shelf.add("crossx", 0.3, budget=Budget(steps=9))
    (chart,) = _charts(_page(shelf), "methods")
    assert _names(chart) == ["Mib", "Triplet"]


def test_overlap_curve_is_drawn_from_two_overlaps_on(shelf: Shelf) -> None:
    shelf.add("crossx", 0.1, scenario="overlap=0.2")
    assert _charts(_page(shelf), "curves") == []
    shelf.add("crossx", 0.2, scenario="overlap=0.8")
    shelf.add("mib", 0.1, scenario="overlap=0.8")
    shelf.add("crossx", 0.3, scenario="closed")
    (chart,) = _charts(_page(shelf), "curves")
    assert _names(chart) == ["Crossx", "Mib"]
    assert "Crossx .550 at 0.2, .650 at 0.8, .750 at 1" in chart.get("aria-label", "")
    heights = [float(dot.get("cy", 0)) for dot in chart.iter(f"{SVG}circle")]
    assert heights[0] > heights[1] > heights[2]
    assert _marks(chart, "chance") == 1


def test_strips_are_of_the_best_data_free_method_with_pictures(shelf: Shelf) -> None:
    furnish(shelf, shelf.add("triplet", 0.4, needs=DATA[:1]))
    shelf.add("classifier-posterior", 0.3)
    furnish(shelf, shelf.add("crossx", 0.2))
    furnish(shelf, shelf.add("mib", 0.1))
    page = _page(shelf)
    told = words(page.split('id="glance"')[1].split('id="rows"')[0])
    assert "Pairs generated by Crossx (adversarial pairs): photo above sketch" in told
    assert re.search(r"Median query of Crossx : [ab], 5 of 10 right", told)
    strips = re.findall(r'<ol class="(strip|pair-strip)"', page)
    assert sorted(strips) == ["pair-strip", "strip"]


def test_cards_name_the_best_method_that_is_no_reference(shelf: Shelf) -> None:
    shelf.add("triplet", 0.4, needs=DATA[:1])
    assert "best data-free" not in words(_page(shelf))
    shelf.add("crossx", 0.2)
    shelf.add("mib", 0.1)
    assert "3 methods, 3 runs; best data-free: Crossx .650 (one seed)" in words(_page(shelf))


def test_overview_of_runs_without_folders_has_charts_alone(shelf: Shelf, tmp_path: Path) -> None:
    shelf.add("crossx", 0.2)
    target = tmp_path / "report"
    finished = shelf.call("report", "-o", str(target), "--runs", str(tmp_path / "none"))
    assert finished.status == 0
    page = (target / "index.html").read_text(encoding="utf-8")
    assert len(_charts(page, "methods")) == 1
    assert "strip" not in page


@pytest.mark.parametrize(
    ("config", "ends"),
    [
        ({"rounds": (4, 9)}, {"(rounds=4)", "(rounds=9)"}),
        ({"alignment": (True, True), "rounds": (4, 9)}, {"(rounds=4)", "(rounds=9)"}),
        ({"entropy": (0.1, 0.2), "rounds": (4, 9)}, {"(rounds=4)", "(rounds=9)"}),
        ({"pair_targets": ("a", "b"), "z": (0, 1)}, {"(z=0)", "(z=1)"}),
        ({"estimator_learning_rate": (1, 2), "warm_up": (3, 5)}, {"(warm_up=3)", "(warm_up=5)"}),
    ],
)
def test_settings_of_one_method_differ_in_a_chart(
    config: dict[str, tuple[object, object]], ends: set[str], shelf: Shelf
) -> None:
    for place in (0, 1):
        values = {key: pair[place] for key, pair in config.items()}
        shelf.add("unimodal-distillation", 0.1 * place, config=values)
    [chart] = _charts(_page(shelf), "methods")
    names = [one.text for one in chart.iter(f"{SVG}text") if one.text and "=" in one.text]
    assert {f"({name.rpartition('(')[2]}" for name in names} == ends
    assert all(len(name) <= 23 for name in names)
