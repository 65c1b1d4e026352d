"""An encoder as an ONNX file; its libraries are an extra, imported only when asked for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dfbench.errors import InvalidInput
from dfbench.learning.batches import to_unit
from dfbench.system.files import atomic_path
from dfbench.version import install_command

_LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
_BATCH = 3
"""Of the images that the file is checked with; any number but 1, which stays a constant."""
_TOLERANCE = 1e-4


class _FromBytes(nn.Module):
    """Embeddings `[N, D]` of uint8 images `[N, 3, S, S]`."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.encoder(images.float() / 255)
        return embeddings


def check_installed() -> None:
    """Raise `InvalidInput` unless the libraries of the extra are installed."""
    missing = [name for name in _LIBRARIES if find_spec(name) is None]
    if missing:
        raise InvalidInput(
            f"--onnx needs what is not installed: {', '.join(missing)}; {install_command('onnx')}"
        )


def write_onnx(encoder: nn.Module, size: int, file: Path) -> None:
    """Write `encoder` for uint8 images `[N, 3, size, size]`: input `images`, output `embeddings`.

    The file stands only if ONNX Runtime computes from it what the encoder does, to 1e-4. Raises
    `InvalidInput` if it does not, or if the network has what ONNX cannot say.
    """
    shape = (_BATCH, 3, size, size)
    images = torch.randint(256, shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    module = _FromBytes(encoder).eval()
    with atomic_path(file) as temporary:
        try:
            with _quietly(), torch.no_grad():
                torch.onnx.export(
                    module,
                    (images,),
                    str(temporary),
                    input_names=["images"],
                    output_names=["embeddings"],
                    dynamic_shapes=({0: torch.export.Dim("batch")},),
                    external_data=False,
                    dynamo=True,
                    verbose=False,
                )
        except Exception as fault:  # whatever the exporter raises, the network is not for it
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
            raise InvalidInput(
                f"this network cannot be written as ONNX ({reason}); export it without --onnx"
            ) from fault
        _check(temporary, encoder, images)


def _check(file: Path, encoder: nn.Module, images: Tensor) -> None:
    from onnxruntime import InferenceSession
    from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

    session = InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for batch in (images, images[:1]):
        try:
            (found,) = session.run(["embeddings"], {"images": batch.numpy()})
        except InvalidArgument as fault:
            raise InvalidInput(
                f"ONNX cannot say this network for any number of images ({fault}); export it "
                "without --onnx"
            ) from fault
        with torch.no_grad():
            expected = encoder(to_unit(batch)).numpy()
        if not np.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
            off = float(np.abs(found - expected).max())
            raise InvalidInput(
                f"ONNX computes embeddings that are off by up to {off:.1e}, more than "
                f"{_TOLERANCE:.0e}; export this network without --onnx"
            )


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the exporter says of its own inner life."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
