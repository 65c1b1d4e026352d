"""Settings of CrossX-DFL."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dfbench_baselines.modality_estimator import Count, EstimatorConfig, Weight


class EstimationConfig(EstimatorConfig):
    """Settings of the two estimators; a weight multiplies the loss it is named after."""

    estimator_steps: Count = 300
    """Estimator steps in all."""
    latent_dim: Count = 16
    """Width of the noise vector that both estimators share. Both have to learn one partition of
    its space into classes, which takes the fewer steps the narrower it is."""
    one_hot: Weight = 1.0
    """Weight of the teachers' certainty: of what they decide, or of the class given."""
    entropy: Weight = 5.0
    """Weight of the balance of classes (nats)."""
    balance: Literal["coverage", "entropy"] = "coverage"
    """Balance by KL(u || mean posterior) of equal shares u, or by the entropy of the mean posterior
    as published: largest for the same images, but blind to a class that is made no more."""
    alignment: Weight = 5.0
    """Weight of the agreement of both teachers on a pair."""
    modality: Weight = 0.3
    """Weight of the modality guidance."""
    adversary: Weight = 0.5
    """Weight of the adversarial term, once students have begun to learn."""


class CrossXConfig(EstimationConfig):
    """Settings of CrossX-DFL."""

    rounds: int = Field(default=8, ge=0)
    """Turns that estimators and students take; 0 trains nothing (the zero-step control)."""
    warm_up: float = Field(default=0.5, ge=0.1, le=1)
    """Share of the estimator steps before the first turn of the students. The first tenth of the
    steps never enters the pool."""
    pool_batches: Count = 60
    """Estimator batches that the pool remembers."""
    pair_targets: Literal["soft", "hard", "noise", "agreeing"] = "soft"
    """Positives of InfoNCE: by probability of the same class, by equal decisions, the partner of
    the same noise, or that partner where the teachers decide alike."""
    queue_weight: Weight = 1.0
    """Weight of queue InfoNCE in the students' loss."""
    proxy_weight: Weight = 1.0
    """Weight of the shared proxies in the students' loss."""
    estimators: Literal["unconditional", "conditional"] = "unconditional"
    """Let the teachers find classes in images of noise, or tell the estimators which to make."""
    teachers: Literal["independent", "unified"] = "independent"
    """One teacher a modality, or one that was trained on both (it knows which photos and sketches
    share a class: privileged)."""
    modality_images: Literal["alternative", "training"] = "alternative"
    """What the modality classifier learned from: alternative classes, or the teachers' own images
    (as in the release: a leak)."""
    encoder_init: Literal["teacher", "random"] | None = None
    """Where encoders start from; None: as the budget says."""
    manner: Literal["mended", "released"] = "mended"
    """Play the game as described here, or as the released scripts do, with their faults."""
