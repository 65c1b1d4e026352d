"""Networks: backbones of teachers and encoders, student encoders, and estimators (generators)."""

from dfbench.networks.backbones.backbone import Backbone
from dfbench.networks.backbones.registry import backbone_names, new_backbone
from dfbench.networks.backbones.resnet import ResidualBlock, ResNet, SmallResNet
from dfbench.networks.classifier import NORMALISATION, Classifier, ModalityNet, Normaliser
from dfbench.networks.encoder import Encoder, Encoders, Similarity
from dfbench.networks.estimator import Estimator
from dfbench.networks.placement import convolutions, placed
from dfbench.networks.representations import (
    ByKnowledge,
    Centred,
    EvidenceUnion,
    JointUnion,
    OpenUnion,
    OverUnion,
    Scaled,
    SideBySide,
    SoftmaxAt,
    UnitNorm,
    UnknownShare,
)

__all__ = [
    "NORMALISATION",
    "Backbone",
    "ByKnowledge",
    "Centred",
    "Classifier",
    "Encoder",
    "Encoders",
    "Estimator",
    "EvidenceUnion",
    "JointUnion",
    "ModalityNet",
    "Normaliser",
    "OpenUnion",
    "OverUnion",
    "ResNet",
    "ResidualBlock",
    "Scaled",
    "SideBySide",
    "Similarity",
    "SmallResNet",
    "SoftmaxAt",
    "UnitNorm",
    "UnknownShare",
    "backbone_names",
    "convolutions",
    "new_backbone",
    "placed",
]
