"""Methods that do the worst, in real processes: each is ended, and its state names the cause."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from dfbench.process.supervision import Supervision
from dfbench.records.state import read_state
from dfbench.request import Limits
from dfbench.runs.execute import attempt

FAULTS: dict[str, tuple[str, Supervision, str]] = {
    "raises": (
        "raise ValueError('no idea')",
        Supervision(),
        "fit() raised ValueError: no idea",
    ),
    "leaks memory": (
        "held = []\n        while True: held.append(b'x' * 2**24)",
        Supervision(Limits(memory_limit=1500 / 1024)),
        "MiB of memory, more than the 1500 MiB",
    ),
    "leaks memory in a process that it starts": (
        """code = "held = []\\nwhile True: held.append(b'x' * 2**24)"
        subprocess.run([sys.executable, "-c", code])""",
        Supervision(Limits(memory_limit=1500 / 1024)),
        "MiB of memory, more than the 1500 MiB",
    ),
    "loops for ever": ("while True: pass", Supervision(Limits(timeout=5)), "not done after 5 s"),
    "ignores signals": (
        "for s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
        "        time.sleep(600)",
        Supervision(Limits(timeout=5)),
        "not done after 5 s",
    ),
    "leaves": ("os._exit(7)", Supervision(), "died (exit status 7)"),
    "leaves as if done": ("os._exit(0)", Supervision(), "died (exit status 0)"),
    "segfaults": ("ctypes.string_at(0)", Supervision(), "died (SIGSEGV)"),
    "aborts": ("os.abort()", Supervision(), "died (SIGABRT)"),
    "is killed": ("os.kill(os.getpid(), 9)", Supervision(), "died (SIGKILL, perhaps out of memory"),
    "forges an answer": (
        "Path(sys.argv[2], 'outcome.json').write_text('done'); os._exit(0)",
        Supervision(),
        "left an invalid answer",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_method_that_does_the_worst_is_ended_and_its_state_names_the_cause(
    fault: str, faulty: Any
) -> None:
    body, supervision, cause = FAULTS[fault]
    faulty.behaves(body)
    ended = attempt(faulty.plan, supervision=supervision)
    assert ended.run is None
    state = read_state(faulty.plan.folder)
    assert state == ended.state
    assert state.status == ("timeout" if supervision.limits.timeout else "failed")
    assert cause in (state.reason or "")
    assert "\n" not in (state.reason or "")
    assert not state.interrupted
    assert state.ended is not None
    assert faulty.results == []
    left = {file.suffix for file in faulty.plan.folder.rglob("*") if file.is_file()}
    assert left <= {".json", ".txt"}


def test_method_mended_after_a_fault_is_done_by_the_same_command(faulty: Any) -> None:
    faulty.behaves("os._exit(7)")
    assert attempt(faulty.plan).state.attempts == 1
    faulty.behaves("pass")
    ended = attempt(faulty.plan)
    assert ended.run is not None
    assert ended.run.record.attempts == 2
    state = ended.state
    assert (state.status, state.attempts, state.reason) == ("done", 2, None)
    assert state.peak_memory_mib == ended.run.record.peak_memory_mib


def test_nothing_that_a_method_started_outlives_it(faulty: Any) -> None:
    faulty.behaves("""process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1)
        (HERE / "pid").write_text(str(process.pid))
        threading.Thread(target=time.sleep, args=(600,)).start()""")
    assert attempt(faulty.plan).run is not None
    assert not _alive(int(faulty.file.with_name("pid").read_text()))


def test_output_of_a_run_goes_to_its_log(faulty: Any, tmp_path: Path) -> None:
    faulty.behaves("print('by', 'the method'); os.write(2, b'an error')")
    log = tmp_path / "deep" / "log.txt"
    assert attempt(faulty.plan, supervision=Supervision(log=log)).run is not None
    assert "by the method" in log.read_text()
    assert "an error" in log.read_text()


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but is waited for by nobody does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
