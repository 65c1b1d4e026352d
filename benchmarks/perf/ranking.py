"""Comparison of ranking speed: dfbench, the bare matrix product, and common libraries.

    python -m benchmarks.perf.ranking --sizes 1000x20000 2000x50000 --json ranking.json

All contenders run in one process on the same embeddings, in turn, over several rounds. The measure
is processor time per query (best of the rounds), as a multiple of that of the bare fp32 product.
Slow contenders get fewer queries, as their line states. Extra memory is the peak of the process
minus its memory before the call. Libraries that are not installed are reported as absent.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from benchmarks.perf.contenders import CONTENDERS, FLOOR, OURS, WARM, Contender, Sides, made_up

_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Measurement:
    """One contender at one size."""

    name: str
    queries: int
    photos: int
    milliseconds_per_query: float
    """Processor time of all threads."""
    wall_milliseconds_per_query: float
    extra_mib: float | None
    """None if the system does not report it."""
    map_all: float | None


def measured(contender: Contender, sides: Sides, rounds: int) -> list[Measurement]:
    """One measurement per round; raises ImportError for an absent library."""
    contender.run(sides.first(2))  # Libraries load and compile on first use.
    return [_once(contender, sides) for _ in range(rounds)]


def best(measurements: Iterable[Measurement]) -> Measurement:
    """The round with the least interference by other load."""
    return min(measurements, key=lambda one: one.milliseconds_per_query)


def _once(contender: Contender, sides: Sides) -> Measurement:
    given = sides.first(contender.most_queries or len(sides.queries))
    held = _forget_peak()
    wall, processor = time.perf_counter(), time.process_time()
    value = contender.run(given)
    spent = time.process_time() - processor, time.perf_counter() - wall
    peak = _memory("VmHWM")
    count = len(given.queries)
    return Measurement(
        name=contender.name,
        queries=count,
        photos=len(given.gallery),
        milliseconds_per_query=1e3 * spent[0] / count,
        wall_milliseconds_per_query=1e3 * spent[1] / count,
        extra_mib=None if held is None or peak is None else peak - held,
        map_all=value,
    )


def _forget_peak() -> float | None:
    try:
        (_PROC / "clear_refs").write_text("5")
    except OSError:
        return None
    return _memory("VmRSS")


def _memory(field: str) -> float | None:
    try:
        lines = (_PROC / "status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def compared(size: str, arguments: argparse.Namespace) -> list[Measurement]:
    """All contenders at one size, printed as soon as they are measured."""
    queries, photos = map(int, size.split("x"))
    sides = made_up(queries, photos, arguments.dim, arguments.classes, arguments.spread)
    rounds: dict[str, list[Measurement]] = {}
    for _ in range(arguments.rounds):
        for contender in (FLOOR, OURS, WARM):
            rounds.setdefault(contender.name, []).extend(measured(contender, sides, 1))
    rows = [best(found) for found in rounds.values()]
    for contender in CONTENDERS:
        if contender.name in rounds or arguments.only_floor:
            continue
        try:
            rows.append(best(measured(contender, sides, arguments.peer_rounds)))
        except ImportError as absent:
            print(f"{contender.name:32} absent ({absent})")
    _print(rows)
    return rows


def _print(rows: list[Measurement]) -> None:
    floor, ours = rows[0].milliseconds_per_query, rows[1].milliseconds_per_query
    print(f"\n{rows[0].queries} x {rows[0].photos}")
    print(
        f"{'':32} {'ms/query':>9} {'x product':>9} {'x dfbench':>9} {'MiB':>7} {'mAP':>8} queries"
    )
    for row in rows:
        memory = "-" if row.extra_mib is None else f"{row.extra_mib:.0f}"
        value = "-" if row.map_all is None else f"{row.map_all:.5f}"
        time_ = row.milliseconds_per_query
        print(
            f"{row.name:32} {time_:9.3f} {time_ / floor:9.2f} {time_ / ours:9.2f}"
            f" {memory:>7} {value:>8} {row.queries}"
        )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["500x5000", "1000x20000", "2000x50000"])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--classes", type=int, default=30)
    parser.add_argument(
        "--spread", type=float, default=0.32, help="0.32: mAP about .5 at 30 classes"
    )
    parser.add_argument("--rounds", type=int, default=5, help="of the product and of dfbench")
    parser.add_argument("--peer-rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-floor", action="store_true", help="no peers")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = {size: compared(size, arguments) for size in arguments.sizes}
    if arguments.json:
        document = {
            "schema_version": 1,
            "machine": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "threads": arguments.threads,
            "dim": arguments.dim,
            "classes": arguments.classes,
            "rows": {size: [asdict(row) for row in found] for size, found in rows.items()},
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
