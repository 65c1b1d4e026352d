"""Networks by name: backbones of teachers and encoders, estimators (generators)."""

from dfbench.networks.backbone import Backbone
from dfbench.networks.backbones import backbone_names, new_backbone
from dfbench.networks.classifier import Classifier
from dfbench.networks.encoder import Encoder
from dfbench.networks.encoders import Encoders, Similarity
from dfbench.networks.estimator import Estimator
from dfbench.networks.modality import ModalityNet
from dfbench.networks.normaliser import NORMALISATION, Normaliser
from dfbench.networks.placement import placed
from dfbench.networks.readings import (
    ByKnowledge,
    Centred,
    OpenUnion,
    OverUnion,
    SoftmaxAt,
    UnitNorm,
    UnknownShare,
)
from dfbench.networks.resnet import ResNet
from dfbench.networks.small_resnet import ResidualBlock, SmallResNet

__all__ = [
    "NORMALISATION",
    "Backbone",
    "ByKnowledge",
    "Centred",
    "Classifier",
    "Encoder",
    "Encoders",
    "Estimator",
    "ModalityNet",
    "Normaliser",
    "OpenUnion",
    "OverUnion",
    "ResNet",
    "ResidualBlock",
    "Similarity",
    "SmallResNet",
    "SoftmaxAt",
    "UnitNorm",
    "UnknownShare",
    "backbone_names",
    "new_backbone",
    "placed",
]
