"""Fits that go on with smaller portions of a batch where a GPU's memory does not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dfbench.console import note
from dfbench.runs.child import OutOfDeviceMemory, call
from dfbench.runs.job import Job, Outcome
from dfbench.runs.supervision import Supervision


def call_fit(job: Job, folder: Path, supervision: Supervision, **more: Any) -> Outcome:
    """The outcome of a fit, begun anew with half the micro-batch each time a GPU is full.

    Begun anew it goes on from its last checkpoint, so that whatever was half done is done again.
    Steps, batches and what losses see stay as they are. `more` goes to `dfbench.runs.child.call`,
    which raises what there is to raise: `OutOfDeviceMemory` too, once there is nothing to halve.
    """
    while True:
        try:
            return call("fit", job, folder, supervision, **more)
        except OutOfDeviceMemory as fault:
            if fault.images < 2:
                raise
            job = job.model_copy(update={"micro_batch": fault.images // 2})
            note(
                f"the GPU's memory is too small for {fault.images} images at a time: going on in "
                f"micro-batches of {job.micro_batch} from the last checkpoint; steps, batches and "
                "what losses see stay as they are"
            )
