"""Class codes: each modality independently learns its teacher's posterior over fixed axes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dfbench.learning.objective import Objective, Space, View
from dfbench.modality import Modality


class ClassCodes(Objective):
    """KL(p || s_p) + KL(q || s_q), s = softmax(scale * e W^T), with fixed unit vectors W.

    Up to the entropy of p and q. The two terms share nothing, so each encoder is trained as if it
    were alone. `separate` draws different codes for sketches and photos.
    """

    photo_codes: Tensor
    sketch_codes: Tensor

    def __init__(self, space: Space, *, separate: bool = False) -> None:
        super().__init__()
        shape = (space.class_count, space.budget.embedding_dim)
        codes = class_codes(*shape)
        self.register_buffer("photo_codes", codes)
        self.register_buffer("sketch_codes", class_codes(*shape) if separate else codes.clone())
        self._scale = space.budget.proxy_scale

    def loss(self, photo: View, sketch: View) -> Tensor:
        p = functional.cross_entropy(self.classify("photo", photo.embeddings), photo.posteriors)
        q = functional.cross_entropy(self.classify("sketch", sketch.embeddings), sketch.posteriors)
        return p + q

    def classify(self, modality: Modality, embeddings: Tensor) -> Tensor:
        codes = self.photo_codes if modality == "photo" else self.sketch_codes
        return self._scale * embeddings @ codes.T


def class_codes(class_count: int, embedding_dim: int) -> Tensor:
    """Unit vectors `[C, D]`, as far apart as the space allows, in random orientation.

    Corners of a regular simplex (pairwise cosine -1 / (C - 1)) if C <= D, else random directions,
    nearly orthogonal. They come from torch's global generator.
    """
    random = torch.randn(embedding_dim, class_count)
    if class_count > embedding_dim:
        return functional.normalize(random.T, dim=1)
    basis: Tensor = torch.linalg.qr(random).Q.T
    return functional.normalize(basis - basis.mean(dim=0), dim=1)
