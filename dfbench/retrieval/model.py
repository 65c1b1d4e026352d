"""A pair of encoders for retrieval, for images of any size."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from dfbench.datasets.images.decoding import decoded, resized, squared
from dfbench.datasets.images.picture import UnreadableImageError
from dfbench.defaults import chosen_plugins, chosen_plugins_folder
from dfbench.errors import InvalidInput
from dfbench.evaluation import top_k
from dfbench.learning.batches import batch_of, to_unit
from dfbench.modality import Modality
from dfbench.networks.placement import bfloat16_convolutions, convolutions
from dfbench.plugins.info import RerankerInfo
from dfbench.plugins.sources import PluginSources
from dfbench.process.launch import described_rerankers
from dfbench.process.reranking import Top, reranked_top
from dfbench.process.supervision import Supervision
from dfbench.records.encoders_file import WrittenEncoders
from dfbench.request import Limits
from dfbench.system.machine import available_cores

Picture: TypeAlias = Image.Image | str | os.PathLike[str]
"""An image of any size, or the path of its file."""
Pictures: TypeAlias = NDArray[Any] | Tensor | Picture | Sequence[Picture]
"""A batch `[N, C, H, W]` of uint8 or of floats in [0, 1], C 1 or 3; one picture, or several."""
_CHANNELS = (1, 3)


@dataclass(frozen=True)
class RerankStage:
    """A re-ranker with what its process needs."""

    reranker: RerankerInfo
    plugins: PluginSources
    limits: Limits


@dataclass(frozen=True)
class RetrievalModel:
    """The encoders of a finished run, frozen."""

    about: WrittenEncoders
    """Their run, the classes of its teachers, and the similarity of embeddings."""
    encoders: Mapping[Modality, nn.Module]
    device: torch.device

    def encode_photos(self, pictures: Pictures) -> NDArray[np.float32]:
        """Embeddings `[N, D]` of photos, as evaluated in the run.

        They are on the unit sphere for methods that train; features, logits and posteriors of
        teachers are raw, and `rank` compares them as in the run. The EXIF orientation of images is
        applied, and they are put on white and resized to a square of `image_size` pixels by
        Pillow's bicubic filter. Floats are rounded to 8 bits. Embeddings do not depend on other
        images in the batch.

        Raises `InvalidInput` for invalid images.
        """
        return self._encode("photo", pictures)

    def encode_sketches(self, pictures: Pictures) -> NDArray[np.float32]:
        """Embeddings `[N, D]` of sketches (dark strokes on white); see `encode_photos`."""
        return self._encode("sketch", pictures)

    def rank(
        self, sketches: NDArray[np.float32], photos: NDArray[np.float32], k: int
    ) -> NDArray[np.int64]:
        """Indices `[Q, k]` of the nearest photos for each sketch, best first.

        Raises `InvalidInput` for k outside 1..N and for embeddings that cannot be ranked.
        """
        return top_k(sketches, photos, k, similarity=self.about.similarity)

    def rerank(
        self,
        sketches: NDArray[np.float32],
        photos: NDArray[np.float32],
        k: int,
        reranker: str,
        *,
        rerank_timeout: float = Limits().rerank_timeout,
    ) -> NDArray[np.int64]:
        """Indices `[Q, k]` of the photos that a re-ranker scores highest for each sketch.

        It is transductive: it sees all photos at once, so the order of two photos depends on the
        others. `reranker` is `NAME` or `NAME:KEY=VALUE,...`, as `dfbench list rerankers` shows; it
        runs in a separate process, for at most `rerank_timeout` seconds. Raises `UnknownName` or
        `InvalidConfig` for one that does not exist or refuses its settings, `PluginFault` if it
        fails, and the errors of `rank`.
        """
        plugins = chosen_plugins(folder=chosen_plugins_folder())
        (found,) = described_rerankers([reranker], plugins)
        limits = Limits(rerank_timeout=rerank_timeout)
        return self.top_reranked(sketches, photos, k, RerankStage(found, plugins, limits)).index

    def top_reranked(
        self,
        sketches: NDArray[np.float32],
        photos: NDArray[np.float32],
        k: int,
        stage: RerankStage,
    ) -> Top:
        """Like `rerank`, with the scores, for a re-ranker that has been found among plugins."""
        self.rank(sketches, photos, k)  # raises for embeddings that cannot be ranked
        return reranked_top(
            stage.reranker,
            sketches,
            photos,
            k,
            similarity=self.about.similarity,
            plugins=stage.plugins,
            threads=available_cores(),
            supervision=Supervision(stage.limits),
        )

    def identity(self, modality: Modality) -> str:
        """BLAKE2 of an encoder's architecture, tensors and image size."""
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
            raise InvalidInput("no images to encode; allowed: one or more")
        return np.concatenate(parts)


def _batches(pictures: Pictures, size: int) -> Iterator[NDArray[np.uint8]]:
    """Batches `[B, C, size, size]` of the same size as in the evaluation."""
    most = batch_of(size)
    if isinstance(pictures, Image.Image | str | os.PathLike):
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
    if isinstance(picture, str | os.PathLike):
        return _from_file(Path(os.fsdecode(picture)).expanduser(), size)
    if not isinstance(picture, Image.Image):
        raise InvalidInput(
            f"{type(picture).__name__} among the images; allowed: PIL images and paths, or one "
            "array [N, C, H, W]"
        )
    try:
        return squared(picture, size)
    except UnreadableImageError as fault:
        raise InvalidInput(f"an image cannot be encoded: {fault}") from fault


def _from_file(file: Path, size: int) -> NDArray[np.uint8]:
    try:
        return decoded(file, size)
    except UnreadableImageError as fault:
        raise InvalidInput(
            f"{str(file)!r} cannot be read ({fault}); allowed: an image file such as .png or .jpg"
        ) from fault


def _checked(batch: NDArray[Any] | Tensor) -> NDArray[np.uint8]:
    if isinstance(batch, Tensor):
        # numpy has no bfloat16, and half precision would round again.
        batch = (batch.float() if batch.is_floating_point() else batch).numpy(force=True)
    floats = np.issubdtype(batch.dtype, np.floating)
    if (
        not (floats or batch.dtype == np.uint8)
        or batch.ndim != 4
        or batch.shape[1] not in _CHANNELS
    ):
        raise InvalidInput(
            f"{batch.dtype} {list(batch.shape)} for a batch of images; allowed: [N, C, H, W] with "
            "1 or 3 channels, uint8 from 0 to 255 or floats from 0 to 1"
        )
    if not floats:
        return batch
    low, high = float(batch.min(initial=0)), float(batch.max(initial=0))
    if not (low >= 0 and high <= 1):
        raise InvalidInput(
            f"values from {low:g} to {high:g} in a batch of {batch.dtype}; allowed: floats from 0 "
            "to 1, not normalised, or uint8 from 0 to 255"
        )
    return np.asarray(np.rint(batch * 255), np.uint8)
