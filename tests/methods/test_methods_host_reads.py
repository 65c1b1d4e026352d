"""No training step waits for the device: nothing in it needs a number that lies there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from rows import quick, supplies
from torch.optim import optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from toy import CLASSES, toy_setting

from dfbench.learning import loop as loops
from dfbench.method import Method, Setting

aten = torch.ops.aten
_WAITS = {
    aten._local_scalar_dense.default,  # item(), float(), int(), bool()
    aten.lift_fresh.default,  # torch.tensor(numbers), an index by a list: copied to the device
    aten.nonzero.default,
    aten.masked_select.default,
    aten.bincount.default,
    aten._unique2.default,
    aten.equal.default,
}


class HostReads(TorchDispatchMode):
    """Counts what would make a host wait for its device, or copy to it; optimisers' steps aside.

    Those keep their own count of steps on the host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.counting = True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        indices = args[1] if func in (aten.index.Tensor, aten.index_put_.default) else ()
        by_mask = any(i is not None and i.dtype == torch.bool for i in indices)
        if self.counting and (func in _WAITS or by_mask):
            self.found[str(func)] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def host_reads() -> Iterator[HostReads]:
    mode = HostReads()

    def switch(*, on: bool) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            mode.counting = on

        return hook

    handles = (
        optimizer.register_optimizer_step_pre_hook(switch(on=False)),
        optimizer.register_optimizer_step_post_hook(switch(on=True)),
    )
    try:
        with mode:
            yield mode
    finally:
        for handle in handles:
            handle.remove()


def test_reads_of_a_device_are_counted() -> None:
    with host_reads() as reads:
        x = torch.arange(4.0)
        float(x.sum())
        x[x > 1]
        x[[0, 1]]
    assert reads.found.total() == 3


# `classifier-*` and `averaging-weights` take no steps; the draw of `gaussian-prior` reads, and says
# so; `crossx[released]` is a bug study.
_STEPPING = [
    "crossx",
    "crossx[bn]",
    "crossx[conditional]",
    "crossx[random-init]",
    "unimodal-distillation[dfq]",
    "alternative-data",
    "siamese",
    "triplet",
    "mib",
    "crossx-data",
    "quadruplet",
]


@pytest.mark.parametrize("row", _STEPPING)
def test_steps_of_a_row_wait_for_nothing(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = toy_setting(tmp_path, supplies(), steps=3)
    assert set(_reads_within_steps(quick(row), setting, monkeypatch)) == {frozenset()}


@pytest.mark.parametrize("row", ["crossx", "crossx-data"])
def test_steps_wait_for_nothing_where_teachers_know_different_classes(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, sketch = CLASSES[:2], CLASSES[1:]
    setting = toy_setting(tmp_path, supplies(photo, sketch), photo=photo, sketch=sketch, steps=3)
    assert set(_reads_within_steps(quick(row), setting, monkeypatch)) == {frozenset()}


def test_reconstruction_reads_once_a_batch_however_many_steps_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    for steps in (1, 4):
        setting = toy_setting(tmp_path / str(steps), supplies(), steps=1)
        row = quick("meta-data")
        row.config = row.config.model_copy(update={"image_steps": steps})
        with monkeypatch.context() as patch:
            reads.append(_reads_within_steps(row, setting, patch))
    assert reads[0] == reads[1]


def _reads_within_steps(
    row: Method, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> list[frozenset[tuple[str, int]]]:
    """What each step of all loops reads, and how often; the first makes tables and is left out."""
    found: list[frozenset[tuple[str, int]]] = []
    steps = loops.TrainingLoop.__iter__

    def counted(self: loops.TrainingLoop) -> Iterator[int]:
        for step in steps(self):
            with host_reads() as reads:
                yield step
            if step:
                found.append(frozenset(reads.found.items()))

    monkeypatch.setattr(loops.TrainingLoop, "__iter__", counted)
    row.fit(setting)
    return found
