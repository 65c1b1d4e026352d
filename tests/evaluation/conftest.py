"""Triton's interpreter stands in for a missing GPU; it is chosen before kernels are imported."""

import os

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
