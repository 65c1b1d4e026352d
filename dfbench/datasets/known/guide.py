"""What to tell a person who does not have a dataset, or not where dfbench looks."""

from __future__ import annotations

from pathlib import Path

from dfbench.datasets.known.facts import Holds
from dfbench.datasets.known.layout import archives
from dfbench.datasets.known.variants import Variant
from dfbench.errors import InvalidInput

_KINDS: dict[Holds, str] = {"sketch": "sketches", "photo": "photos", "extended": "extended photos"}


def no_root(name: str, variant: Variant) -> InvalidInput:
    """The error for a dataset asked for without a data root."""
    return InvalidInput(
        f"dataset {name!r} needs the folder its images lie in: give --data-root PATH, set "
        f'DFBENCH_DATA, or put data-root = "PATH" into the configuration file '
        f"(see: dfbench run --help)\n"
        f"{guide(name, variant)}"
    )


def not_a_folder(name: str, variant: Variant, root: Path) -> InvalidInput:
    """The error for a data root that is a file or does not exist."""
    if root.is_file():
        return InvalidInput(
            f"data root '{root}' is a file: unpack it and name the folder it was unpacked into"
        )
    return InvalidInput(f"no folder '{root}' (--data-root)\n{guide(name, variant)}")


def nothing_found(
    name: str, variant: Variant, root: Path, missing: tuple[Holds, ...]
) -> InvalidInput:
    """The error for a data root that lacks a whole kind of image."""
    there = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    listed = ", ".join(there[:8]) + (", ..." if there[8:] else "")
    packed = archives(variant.known, root)
    hint = f"; unpack '{packed[0].relative_to(root)}' first" if packed else ""
    return InvalidInput(
        f"no {' and no '.join(_KINDS[kind] for kind in missing)} of {variant.name} in '{root}' "
        f"(it has: {listed or 'nothing'}{hint})\n{guide(name, variant)}"
    )


def guide(name: str, variant: Variant) -> str:
    """Where each part is to be had, where it is expected, and how to check it; a line each."""
    known = variant.known
    lines = [
        f"  {item.part}: {item.where}\n    unpacked to PATH/{item.into}" for item in known.obtain
    ]
    homes = " or ".join(f"PATH/{home}" for home in known.homes[:1])
    for holds, kind in _KINDS.items():
        places = [
            f"{' + '.join(place.folders)} ({place.layout})"
            for place in known.place
            if place.holds == holds
        ]
        if places:
            lines.append(f"  {kind} are found in PATH or {homes} at: {'; '.join(places)}")
    lines.append(f"  check what is there: dfbench data verify {name} --data-root PATH")
    return "\n".join(lines)
