"""Starting the process that runs plugin code, and reading what it left."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from dfbench.errors import DfbenchError, PluginFault
from dfbench.files import atomic_path, no_space
from dfbench.runs.job import JOB_FILE, NO_SPACE, OUTCOME_FILE, TRACEBACK_FILE, Outcome, Question


def describe(question: Question) -> Outcome:
    """What plugins say; raises what is wrong with the question as one line."""
    with tempfile.TemporaryDirectory(prefix="dfbench-") as folder:
        return call("describe", question, Path(folder))


class ChildDied(DfbenchError):
    """The child ended without an answer: killed, or out of memory."""


def call(verb: Literal["describe", "fit"], content: BaseModel, folder: Path) -> Outcome:
    """Run one verb of the worker in `folder` and return its outcome.

    Raises `PluginFault` or `DfbenchError` with the worker's fault, `ChildDied` if it died without
    one, and `KeyboardInterrupt` if it was interrupted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / OUTCOME_FILE).unlink(missing_ok=True)
    (folder / TRACEBACK_FILE).unlink(missing_ok=True)
    with atomic_path(folder / JOB_FILE) as temporary:
        temporary.write_text(content.model_dump_json(indent=1), encoding="utf-8")
    status = _wait(subprocess.Popen([sys.executable, "-m", "dfbench.runs", verb, folder]))
    if status == NO_SPACE:
        raise no_space(folder / OUTCOME_FILE)
    if not (folder / OUTCOME_FILE).is_file():
        raise ChildDied(
            f"the process of the method died ({_death(status)}); nothing was scored, and the same "
            "command goes on from its last checkpoint"
        )
    outcome = Outcome.model_validate_json((folder / OUTCOME_FILE).read_text(encoding="utf-8"))
    if outcome.fault is not None:
        if outcome.fault.interrupted:
            raise KeyboardInterrupt
        raise (PluginFault if outcome.fault.of_plugin else DfbenchError)(outcome.fault.message)
    return outcome


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the child; an interrupt from the keyboard reaches it too and it ends by itself."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    except BaseException:
        process.kill()
        process.wait()
        raise


def _death(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
