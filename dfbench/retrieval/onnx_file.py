"""Export of an encoder to ONNX; its libraries are an optional extra, imported on demand."""

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
"""Number of test images; not 1, because the exporter would treat 1 as a constant."""
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
            f"--onnx requires packages that are not installed: {', '.join(missing)}; "
            f"{install_command('onnx')}"
        )


def write_onnx(encoder: nn.Module, size: int, file: Path) -> None:
    """Write `encoder` for uint8 images `[N, 3, size, size]`: input `images`, output `embeddings`.

    The file is kept only if its outputs in ONNX Runtime match the encoder's to within 1e-4. Raises
    `InvalidInput` if they do not, or if ONNX does not support the network.
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
        except Exception as fault:  # the exporter may raise anything for an unsupported network
            reason = " ".join(f"{type(fault).__name__}: {fault}".split())[:300]
            raise InvalidInput(
                f"this network cannot be exported to ONNX ({reason}); export it without --onnx"
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
                f"the ONNX export does not support variable batch sizes for this network "
                f"({fault}); export it without --onnx"
            ) from fault
        with torch.no_grad():
            expected = encoder(to_unit(batch)).numpy()
        if not np.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
            off = float(np.abs(found - expected).max())
            raise InvalidInput(
                f"the ONNX embeddings differ by up to {off:.1e}, more than {_TOLERANCE:.0e}; "
                "export this network without --onnx"
            )


@contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the exporter's warnings and log messages."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
