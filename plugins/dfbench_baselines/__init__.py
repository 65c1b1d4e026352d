"""The built-in rows of the table; they come in through the same door as anybody's plugin."""

from __future__ import annotations

from dfbench import MethodSpec, hookimpl

_CLASSIFIERS = ("classifier-only", "classifier-logits", "classifier-posterior")


@hookimpl
def dfbench_methods() -> tuple[MethodSpec, ...]:
    """Return the built-in methods."""
    return (
        MethodSpec(
            "classifier-only", "Classifier Only", "dfbench_baselines.classifiers:ClassifierOnly"
        ),
        MethodSpec(
            "classifier-logits",
            "Classifier Logits",
            "dfbench_baselines.classifiers:ClassifierLogits",
        ),
        MethodSpec(
            "classifier-posterior",
            "Classifier Posterior",
            "dfbench_baselines.classifiers:ClassifierPosterior",
        ),
        MethodSpec(
            "crossx",
            "CrossX-DFL",
            "dfbench_baselines.crossx:CrossX",
            beside=(*_CLASSIFIERS, "crossx[zero-step]"),
        ),
    )
