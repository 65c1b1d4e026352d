"""Settings of CrossX-DFL."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dfbench_baselines.modality_estimator import Count, EstimatorConfig, Weight


class EstimationConfig(EstimatorConfig):
    """Settings of the two estimators; each weight multiplies the loss of that name."""

    estimator_steps: Count = 300
    """Total number of estimator steps."""
    latent_dim: Count = 16
    """Dimension of the noise vector shared by both estimators. Both must learn one partition of its
    space into classes, which takes fewer steps in fewer dimensions."""
    one_hot: Weight = 1.0
    """Weight of the teachers' certainty: about their own prediction, or about the given class."""
    entropy: Weight = 5.0
    """Weight of the balance of classes (nats)."""
    balance: Literal["coverage", "entropy"] = "coverage"
    """Balance by KL(u || mean posterior) with uniform u, or by the entropy of the mean posterior as
    published: it has the same optimum, but does not recover a class that is no longer generated."""
    alignment: Weight = 5.0
    """Weight of the agreement of both teachers on a pair."""
    modality: Weight = 0.3
    """Weight of the modality guidance."""
    adversary: Weight = 0.5
    """Weight of the adversarial term, once students are being trained."""


class CrossXConfig(EstimationConfig):
    """Settings of CrossX-DFL."""

    rounds: int = Field(default=8, ge=0)
    """Number of turns of estimators and students; 0 trains nothing (the zero-step control)."""
    warm_up: float = Field(default=0.5, ge=0.1, le=1)
    """Share of the estimator steps before the first turn of the students. Images of the first tenth
    of the steps do not enter the pool."""
    pool_batches: Count = 60
    """Number of estimator batches in the pool."""
    pair_targets: Literal["soft", "hard", "noise", "agreeing"] = "soft"
    """Positives of InfoNCE: weighted by the probability of the same class (soft), of the same
    predicted class (hard), generated from the same noise, or the latter if the teachers agree."""
    queue_weight: Weight = 1.0
    """Weight of queue InfoNCE in the students' loss."""
    proxy_weight: Weight = 1.0
    """Weight of the shared proxies in the students' loss."""
    estimators: Literal["unconditional", "conditional"] = "unconditional"
    """Let the teachers find classes in generated images, or condition the estimators on a class."""
    teachers: Literal["independent", "unified"] = "independent"
    """One teacher per modality, or one trained on both (it knows which photos and sketches share a
    class: privileged)."""
    modality_images: Literal["alternative", "training"] = "alternative"
    """Training images of the modality classifier: alternative classes, or the teachers' own images
    (as in the release: a leak)."""
    encoder_init: Literal["teacher", "random"] | None = None
    """Initialisation of encoders; None: as set by the budget."""
    manner: Literal["mended", "released"] = "mended"
    """Train as described here, or as in the released scripts with their errors."""
