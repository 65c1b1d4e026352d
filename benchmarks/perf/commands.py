"""Processor time of commands that only look something up, compared with importing click.

    python -m benchmarks.perf.commands --rounds 7 --json commands.json

Each command is started in a fresh interpreter, all of them in turn, over several rounds; the best
round counts. `suite status` starts a process that loads plugins, and with them torch, which is
listed separately. A first round, which does not count, fills the caches, also that of bytecode. The
tables are those of the committed records: of all, of one folder of them, and of three.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "results"
_ONE_FOLDER = "folder-qd-tiny65"
_FEW = 3
_SUITE = 'methods = ["classifier-only", "crossx"]\ndatasets = ["shapes"]\nseeds = [0, 1, 2]\n'
MAIN = """
import json, resource, sys
sys.argv[0] = "dfbench"
from dfbench.cli import main
try:
    main()
finally:
    spent = {}
    for name, who in (("own", resource.RUSAGE_SELF), ("children", resource.RUSAGE_CHILDREN)):
        usage = resource.getrusage(who)
        spent[name] = usage.ru_utime + usage.ru_stime
    print(json.dumps(spent), file=sys.stderr)
"""
"""The command line of dfbench, followed by its processor seconds on standard error."""
_CLICK = """
import json, resource, sys
import click
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"own": usage.ru_utime + usage.ru_stime, "children": 0}), file=sys.stderr)
"""
GOAL = 0.25
"""Seconds that a command may take on the machine of the committed figures."""


@dataclass(frozen=True)
class Cost:
    """Processor seconds of one command."""

    own: float
    """Of the command's process, from the start of the interpreter."""
    children: float
    """Of the processes it started."""

    @property
    def total(self) -> float:
        """Of all of them."""
        return self.own + self.children


@dataclass(frozen=True)
class Command:
    """What is measured."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str]


def commands(place: Path) -> list[Command]:
    """The commands, with the folders they read in `place`."""
    shutil.copytree(RESULTS / _ONE_FOLDER, place / "one" / _ONE_FOLDER)
    (place / "few" / _ONE_FOLDER).mkdir(parents=True)
    for file in sorted((RESULTS / _ONE_FOLDER).glob("*.json"))[:_FEW]:
        shutil.copy(file, place / "few" / _ONE_FOLDER)
    suite = place / "suite.toml"
    suite.write_text(_SUITE, encoding="utf-8")
    status = f"suite status {suite} --device cpu --results {place / 'few'} --runs {place / 'runs'}"
    plain = (
        *("--help", "list methods", "list datasets", "list networks", "list metrics"),
        *("list rerankers", "describe crossx", "describe map@all", "teachers list"),
        *("run --help", "compare --help", "watch --help"),
    )
    tables = {
        "table, 3 records": place / "few",
        "table, one folder": place / "one",
        "table, all records": RESULTS,
    }
    completed = {"_DFBENCH_COMPLETE": "bash_complete", "COMP_CWORD": "3"}
    return [
        *(Command(name, tuple(name.split()), {}) for name in plain),
        *(
            Command(name, ("table", "--results", str(folder), "--runs", str(place / "runs")), {})
            for name, folder in tables.items()
        ),
        Command("suite status", tuple(status.split()), {}),
        Command("completion", (), {**completed, "COMP_WORDS": "dfbench run --method cro"}),
    ]


def cost(code: str, command: Command, cache: Path) -> Cost:
    """The cost of some code with the arguments of a command."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        **command.environment,
        "DFBENCH_CACHE": str(cache),
        "PYTHONPYCACHEPREFIX": str(cache / "bytecode"),
    }
    ended = subprocess.run(
        [sys.executable, "-c", code, *command.arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return Cost(**json.loads(ended.stderr.splitlines()[-1]))


def best(costs: list[Cost]) -> Cost:
    """The round with the least interference by other load."""
    return min(costs, key=lambda one: one.total)


def measured(rounds: int) -> tuple[Cost, dict[str, Cost]]:
    """The cost of importing click, and that of each command."""
    nothing = Command("import click", (), {})
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = commands(place)
        floors: list[Cost] = []
        costs: dict[str, list[Cost]] = {command.name: [] for command in found}
        for number in range(rounds + 1):
            floor = cost(_CLICK, nothing, place / "cache")
            spent = {one.name: cost(MAIN, one, place / "cache") for one in found}
            if number:
                floors.append(floor)
                for name, one in spent.items():
                    costs[name].append(one)
    return best(floors), {name: best(spent) for name, spent in costs.items()}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    floor, costs = measured(arguments.rounds)
    print(f"{'processor seconds':20} {'own':>7} {'children':>9} {'own / import click':>19}")
    for name, one in {"import click": floor, **costs}.items():
        print(f"{name:20} {one.own:7.3f} {one.children:9.3f} {one.own / floor.own:19.1f}")
    print(f"goal: at most {GOAL:.2f} s of its own for each command of up to 40 records")
    if arguments.json:
        document = {
            "schema_version": 1,
            "machine": platform.processor() or platform.machine(),
            "python": sys.version.split()[0],
            "rounds": arguments.rounds,
            "import_click": asdict(floor),
            "commands": {
                name: {**asdict(one), "ratio": one.own / floor.own} for name, one in costs.items()
            },
            "goal_seconds": GOAL,
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
