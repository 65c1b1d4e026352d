"""Two encoders that take pictures of any size and compare photos with sketches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dfbench.datasets.images.decoding import resized, squared
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.errors import InvalidInput
from dfbench.evaluation import top_k
from dfbench.learning.batches import batch_of, to_unit
from dfbench.modality import Modality
from dfbench.networks.placement import bfloat16_convolutions, convolutions
from dfbench.records.encoders_file import WrittenEncoders

Pictures: TypeAlias = NDArray[np.uint8] | Tensor | Image.Image | Sequence[Image.Image]
"""A uint8 batch `[N, C, H, W]`, C 1 or 3, one picture, or several of whatever sizes."""
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class RetrievalModel:
    """The encoders of a finished run, frozen."""

    about: WrittenEncoders
    """What run they are of, which classes its teachers know, how embeddings are compared."""
    encoders: Mapping[Modality, nn.Module]
    device: torch.device

    def encode_photos(self, pictures: Pictures) -> NDArray[np.float32]:
        """Embeddings `[N, D]` of photos, just as the run scored them.

        That is on the unit sphere for rows that train; features, logits and posteriors of teachers
        are raw: `rank` compares either as the run did. Pictures are turned upright as EXIF says,
        laid on white and squeezed to a square of `image_size` pixels, by Pillow's bicubic filter.
        What else is in the batch makes no difference.

        Raises `InvalidInput` for what is no picture.
        """
        return self._encode("photo", pictures)

    def encode_sketches(self, pictures: Pictures) -> NDArray[np.float32]:
        """Embeddings `[N, D]` of sketches, dark strokes on white; else as `encode_photos`."""
        return self._encode("sketch", pictures)

    def rank(
        self, sketches: NDArray[np.float32], photos: NDArray[np.float32], k: int
    ) -> NDArray[np.int64]:
        """`[Q, k]`: the best photos for each sketch, best first, from embeddings of both.

        Raises `InvalidInput` for k outside 1..N and for embeddings that cannot be ranked.
        """
        return top_k(sketches, photos, k, similarity=self.about.similarity)

    def identity(self, modality: Modality) -> str:
        """BLAKE2 of how an encoder is built, of its tensors, and of the size of its images."""
        digest = blake2b(f"{self.about.image_size}".encode(), digest_size=16)
        for part in self.about.chains[modality]:
            digest.update(part.model_dump_json().encode())
        for tensor in self.encoders[modality].state_dict().values():
            digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    @torch.no_grad()
    def _encode(self, modality: Modality, pictures: Pictures) -> NDArray[np.float32]:
        encoder = self.encoders[modality]
        with bfloat16_convolutions(enabled=False), convolutions(self.device):
            parts = [
                encoder(to_unit(torch.from_numpy(batch).to(self.device))).float().cpu().numpy()
                for batch in _batches(pictures, self.about.image_size)
            ]
        if not parts:
            raise InvalidInput("no pictures to encode; allowed: one or more")
        return np.concatenate(parts)


def _batches(pictures: Pictures, size: int) -> Iterator[NDArray[np.uint8]]:
    """Batches `[B, C, size, size]`, as large as the evaluation's."""
    most = batch_of(size)
    if isinstance(pictures, Image.Image):
        yield _picture(pictures, size)[None]
        return
    if isinstance(pictures, np.ndarray | Tensor):
        array = _checked(pictures)
        for start in range(0, len(array), most):
            batch = array[start : start + most]
            yield batch.copy() if batch.shape[2:] == (size, size) else resized(batch, size)
        return
    for start in range(0, len(pictures), most):
        yield np.stack([_picture(picture, size) for picture in pictures[start : start + most]])


def _picture(picture: object, size: int) -> NDArray[np.uint8]:
    if not isinstance(picture, Image.Image):
        raise InvalidInput(
            f"{type(picture).__name__} among the pictures; allowed: PIL images, or one uint8 array "
            "[N, C, H, W]"
        )
    try:
        return squared(picture, size)
    except UnreadableImageError as fault:
        raise InvalidInput(f"a picture cannot be encoded: {fault}") from fault


def _checked(batch: NDArray[np.uint8] | Tensor) -> NDArray[np.uint8]:
    array = batch.numpy(force=True) if isinstance(batch, Tensor) else batch
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in _CHANNELS:
        raise InvalidInput(
            f"{array.dtype} {list(array.shape)} for a batch of pictures; allowed: uint8 "
            "[N, C, H, W] of 1 or 3 channels, 0 to 255"
        )
    return array
