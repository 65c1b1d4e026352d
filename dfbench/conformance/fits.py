"""Checks of a method's fit: alone, repeated, resumed, with partly different classes, on a GPU."""

from __future__ import annotations

from collections.abc import Set

import torch

from dfbench.conformance.check import CheckFailed
from dfbench.conformance.stage import Fit, Stage
from dfbench.evaluation import SIMILARITIES, evaluate
from dfbench.modality import MODALITIES
from dfbench.need import Need
from dfbench.reporting.cells import short
from dfbench.runs.ranking import chance_levels

_OVERLAP = "overlap=0.5"
_RESAMPLES = 500


def fit(stage: Stage) -> str:
    """A fit returns a pair of encoders from two teachers and the declared needs."""
    encoders = stage.first.encoders
    for name, representation in {"": encoders, **encoders.representations}.items():
        if representation.similarity not in SIMILARITIES:
            raise CheckFailed(
                f"similarity {representation.similarity!r} of {name or 'its encoders'}; allowed: "
                f"{', '.join(sorted(SIMILARITIES))}"
            )
    return ", ".join(("embeddings", *encoders.representations))


def needs(stage: Stage) -> str:
    """The needs used are the needs declared."""
    declared = {Need(name) for name in stage.row.needs}
    hidden = stage.first.asked - declared
    if hidden:
        raise CheckFailed(
            f"it requested {_listed(hidden)} without declaring it, and continued when refused; "
            "declare it in needs(), or do not request it"
        )
    unused = declared - stage.first.asked
    if unused:
        raise CheckFailed(
            f"it declares {_listed(unused)} but never requested it; tables would list it as an "
            "input of the method"
        )
    return _listed(declared) or "nothing beyond two teachers"


def trains(stage: Stage) -> str:
    """A method that declares that it trains nothing takes no optimiser step."""
    steps = stage.first.optimiser_steps
    if steps and not stage.row.trains:
        raise CheckFailed(
            f"it is declared not to train, and fit() took {steps} optimiser steps; remove "
            "trains=False from its MethodSpec, or let its trains() return True"
        )
    if not steps and stage.row.trains:
        return "no optimiser step; if it trains nothing, declare MethodSpec(..., trains=False)"
    return f"{steps} optimiser steps" if steps else "nothing is trained"


def configuration(stage: Stage) -> None:
    """The configuration after fit() is the recorded one."""
    if stage.first.altered_settings:
        raise CheckFailed(
            f"fit() changed its configuration: {stage.first.altered_settings}; the record has the "
            "original configuration, so store derived values elsewhere"
        )


def teachers(stage: Stage) -> None:
    """Both teachers are unchanged after fit(), byte for byte."""
    if stage.first.altered_teachers:
        raise CheckFailed(
            f"fit() altered the {' and the '.join(stage.first.altered_teachers)} teacher; modify "
            "a copy (copy.deepcopy)"
        )


def global_randomness(stage: Stage) -> None:
    """The global random generators are unchanged after fit()."""
    _ = stage.first, stage.repeated
    # The first import of a module may draw numbers, which is not the method's error.
    used = sorted(stage.used_generators("first") & stage.used_generators("repeated"))
    if used:
        raise CheckFailed(
            f"it used the global random generator of {', '.join(used)}; draw from "
            "setting.generator(name), and create modules with setting.new_module(name, build)"
        )


def determinism(stage: Stage) -> None:
    """The same seed gives bit-identical embeddings."""
    outcome = stage.repeated.outcome
    # If the interrupted fit equals the first, this shows determinism too and saves a fit.
    if isinstance(outcome, Fit) and not _difference(stage.first, outcome):
        return
    _compare(stage.first, stage.second, "two fits of one seed")


def resume(stage: Stage) -> str:
    """A fit that is killed and resumed gives the same result as an uninterrupted one."""
    repeated = stage.repeated
    if isinstance(repeated.outcome, Exception):
        raise repeated.outcome
    if not repeated.broken:
        return "no loop of setting.loop() to interrupt: a killed fit starts again"
    where = f"interrupted in {', '.join(repeated.broken)}"
    _compare(stage.first, repeated.outcome, f"a fit {where}")
    return where


def overlap(stage: Stage) -> str:
    """Teachers may know different classes, or the method gives a reason why not."""
    reason = stage.row.cannot.get("overlap")
    if reason is not None:
        if not reason.strip() or "\n" in reason:
            raise CheckFailed(f"cannot() gives the reason {reason!r}; allowed: one line")
        return f"cannot: {reason}"
    for name, embeddings in stage.fit("overlap", _OVERLAP).embeddings.items():
        if not torch.isfinite(embeddings).all():
            raise CheckFailed(f"{name} embeddings under {_OVERLAP} are not finite")
    return _OVERLAP


def chance(stage: Stage) -> str:
    """Retrieval by its embeddings is better than chance."""
    images, found = stage.test_images(), stage.first.embeddings
    queries, gallery = (images[m] for m in reversed(MODALITIES))
    score = evaluate(
        found["sketch"],
        found["photo"],
        queries.labels,
        gallery.labels,
        similarity=stage.first.encoders.similarity,
        metrics=["map@all"],
        bootstrap=_RESAMPLES,
    ).scores["map@all"]
    level = chance_levels(queries, gallery, None)[""]
    if score.low is None or score.high is None:
        raise CheckFailed(f"map@all {short(score.value)} has no interval")
    interval = f"[{short(score.low)}, {short(score.high)}]"
    told = f"map@all {short(score.value)} {interval}, chance {short(level)}"
    if score.low <= level:
        steps = stage.first.optimiser_steps
        more = f" after {steps} optimiser steps; more steps: --set budget.steps=N" if steps else ""
        raise CheckFailed(told + more)
    return told


def devices(stage: Stage) -> str:
    """It works on a GPU, if available; encoders have no tensors that .to(device) does not move."""
    for modality in MODALITIES:
        for name, module in getattr(stage.first.encoders, modality).named_modules():
            for key, value in vars(module).items():
                if isinstance(value, torch.Tensor):
                    raise CheckFailed(
                        f"{modality} encoder: {'.'.join(filter(None, (name, key)))} is a tensor "
                        "that .to(device) does not move; register_buffer() it"
                    )
    if not torch.cuda.is_available():
        return "no GPU available: only checked for tensors that cannot be moved"
    stage.fit("gpu", device="cuda")
    return "cpu, cuda"


def _compare(one: Fit, other: Fit, what: str) -> None:
    difference = _difference(one, other)
    if difference:
        raise CheckFailed(f"{what}: {difference}")


def _difference(one: Fit, other: Fit) -> str:
    """The first difference between two fits; empty if there is none."""
    for name, embeddings in one.embeddings.items():
        again = other.embeddings.get(name)
        if again is None or again.shape != embeddings.shape:
            return f"{name} embeddings have another shape"
        if not torch.equal(embeddings, again):
            gap = (embeddings - again).abs().max().item()
            return (
                f"{name} embeddings differ by up to {gap:.2g}; put everything that changes between "
                "steps into the loop's state, and draw random numbers from setting.generator(name)"
            )
    return ""


def _listed(needs: Set[Need]) -> str:
    return ", ".join(sorted(need.value for need in needs))
