"""The order of test images: unknown to the process of a method, and without effect on a number."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dfbench.identity import derive_seed
from dfbench.modality import MODALITIES
from dfbench.runs.execute import execute
from dfbench.worker.fit import _order

LOOK_AROUND = """seen = HERE / "seen"
        seen.mkdir()
        folder = Path(sys.argv[2])
        for number, file in enumerate(p for p in sorted(folder.rglob("*")) if p.is_file()):
            (seen / f"{number}-{file.name}").write_bytes(file.read_bytes())
        for process in ("self", str(os.getppid())):
            for name in ("cmdline", "environ"):
                source = Path("/proc") / process / name
                if source.exists():
                    (seen / f"{process}-{name}").write_bytes(source.read_bytes())"""


def _orders(faulty: Any) -> dict[str, NDArray[np.int64]]:
    with np.load(faulty.plan.folder / "labels.npz") as stored:
        return {modality: stored[f"{modality}_order"] for modality in MODALITIES}


def _seen(faulty: Any) -> dict[str, bytes]:
    """Everything that a method was given when it fitted, by name."""
    place = faulty.file.parent / "seen"
    content = {file.name: file.read_bytes() for file in place.iterdir()}
    shutil.rmtree(place)
    return content


def test_nothing_that_a_method_is_given_tells_the_order_of_test_images(faulty: Any) -> None:
    faulty.behaves(LOOK_AROUND)
    first = execute(faulty.plan)
    before, seen = _orders(faulty), _seen(faulty)
    assert any(name.endswith("job.json") for name in seen)
    for order in before.values():
        texts = (str(order.tolist()), " ".join(map(str, order)), ",".join(map(str, order)))
        stored = [order.astype(kind).tobytes() for kind in ("i8", "i4", "i2", "u1", "f4", "f8")]
        for content in (*stored, *(text.encode() for text in texts)):
            assert [name for name, found in seen.items() if content in found] == []
    second = execute(faulty.plan, force=True)
    after = _orders(faulty)
    _seen(faulty)
    assert any(not np.array_equal(before[m], after[m]) for m in MODALITIES)
    assert second.record.digests == first.record.digests


def test_order_does_not_follow_from_identity_or_seed(faulty: Any) -> None:
    execute(faulty.plan)
    orders, plan = _orders(faulty), faulty.plan
    known = (plan.fit_id, plan.eval_id, plan.computation, str(plan.session.request.seed))
    for modality, order in orders.items():
        for text in known:
            seed = derive_seed("test image order", text, modality)
            derived = np.random.default_rng(seed).permutation(len(order))
            assert len(order) > 5
            assert not np.array_equal(derived, order)


def test_what_a_broken_attempt_left_of_labels_is_gone_when_the_next_one_fits(faulty: Any) -> None:
    left = ("labels.npz", "per_query.npz", "per_query-posterior.npz", "showcase/queries.json")
    faulty.behaves("raise ValueError('not yet')")
    with pytest.raises(Exception, match="not yet"):
        execute(faulty.plan)
    for name in (*left, "pictures/retrievals.png"):
        file: Path = faulty.plan.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"left")
    faulty.behaves(LOOK_AROUND)
    execute(faulty.plan)
    assert b"left" not in _seen(faulty).values()


@pytest.mark.parametrize("count", [1, 5, 501])
def test_images_are_embedded_in_an_order_of_their_contents(count: int) -> None:
    import torch

    images = np.random.default_rng(0).integers(256, size=(count, 1, 4, 4), dtype=np.uint8)
    other = images[np.random.default_rng(1).permutation(count)]
    cpu = torch.device("cpu")
    assert np.array_equal(images[_order(images, cpu).numpy()], other[_order(other, cpu).numpy()])


def test_digests_do_not_depend_on_where_an_image_stands(faulty: Any) -> None:
    faulty.behaves(
        "net = setting.new_module('net', lambda: nn.Linear(3072, 8))\n"
        "        class Placed(nn.Module):\n"
        "            def forward(self, x):\n"
        "                place = torch.arange(len(x))[:, None] * 1e-3\n"
        "                return nn.functional.normalize(net(x.flatten(1))) + place\n"
        "        return Encoders(Placed(), Placed())"
    )
    records = [execute(faulty.plan, force=True).record for _ in range(2)]
    assert records[0].digests == records[1].digests
