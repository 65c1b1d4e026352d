"""The built-in methods, registered through the same hook as those of any other plugin."""

from __future__ import annotations

from dfbench import MethodSpec, hookimpl

_CLASSIFIERS = ("classifier-only", "classifier-logits", "classifier-posterior")


@hookimpl
def dfbench_methods() -> tuple[MethodSpec, ...]:
    """Return the built-in methods."""
    return (
        MethodSpec(
            "classifier-only",
            "Classifier Only",
            "dfbench_baselines.classifiers:ClassifierOnly",
            trains=False,
        ),
        MethodSpec(
            "classifier-logits",
            "Classifier Logits",
            "dfbench_baselines.classifiers:ClassifierLogits",
            trains=False,
        ),
        MethodSpec(
            "classifier-posterior",
            "Classifier Posterior",
            "dfbench_baselines.classifiers:ClassifierPosterior",
            trains=False,
        ),
        MethodSpec(
            "open-posterior",
            "Open Posterior (ours)",
            "dfbench_baselines.open_posterior:OpenPosterior",
            trains=False,
        ),
        MethodSpec(
            "joint-posterior",
            "Joint Posterior (ours)",
            "dfbench_baselines.joint_posterior:JointPosterior",
            trains=False,
        ),
        MethodSpec(
            "adapted-posterior",
            "Adapted Posterior (ours)",
            "dfbench_baselines.adapted_posterior:AdaptedPosterior",
        ),
        MethodSpec(
            "averaging-weights",
            "Averaging Weights",
            "dfbench_baselines.averaging:AveragingWeights",
            trains=False,
        ),
        MethodSpec(
            "unimodal-distillation",
            "Uni-Modal Distillation",
            "dfbench_baselines.unimodal_distillation:UnimodalDistillation",
        ),
        MethodSpec(
            "gaussian-prior", "Gaussian Prior", "dfbench_baselines.gaussian_prior:GaussianPrior"
        ),
        MethodSpec("meta-data", "Meta-Data", "dfbench_baselines.meta_data:MetaData"),
        MethodSpec(
            "alternative-data",
            "Alternative Data",
            "dfbench_baselines.alternative_data:AlternativeData",
        ),
        MethodSpec(
            "crossx",
            "CrossX-DFL",
            "dfbench_baselines.crossx:CrossX",
            beside=(*_CLASSIFIERS, "crossx[zero-step]"),
        ),
        MethodSpec("siamese", "Siamese", "dfbench_baselines.references:Siamese"),
        MethodSpec("triplet", "Triplet", "dfbench_baselines.references:Triplet"),
        MethodSpec("mib", "MIB", "dfbench_baselines.references:MIB"),
        MethodSpec("crossx-data", "CrossX (real pairs)", "dfbench_baselines.references:CrossXData"),
        MethodSpec(
            "quadruplet",
            "Quadruplet (reconstruction)",
            "dfbench_baselines.quadruplet:Quadruplet",
        ),
    )
