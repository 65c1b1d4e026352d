"""External teachers, named by file or identity instead of being trained for the run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from dfbench.class_names import normalised
from dfbench.errors import InvalidInput
from dfbench.modality import MODALITIES, Modality
from dfbench.system.files import atomic_path
from dfbench.teachers.facts import IMPORTED, TEACHER, NetworkFacts, networks_in, read_header
from dfbench.teachers.identities import network_file

ExternalTeachers = Mapping[Modality, NetworkFacts]
"""Both teachers of a run, or none if they are to be trained."""
_MOST = 4
"""Most networks listed for an ambiguous prefix."""
_PREFIX = re.compile(r"[0-9a-f]{4,32}")


def external_teachers(
    named: Mapping[Modality, str], folder: Path, official: Mapping[str, Path]
) -> ExternalTeachers:
    """The named teachers, copied into the cache folder; an empty mapping if none is named.

    `official` has the networks that datasets provide, by identity. Raises `InvalidInput` for one
    teacher without the other, for a network that is not a teacher of its modality, and for teachers
    without a common class.
    """
    if not named:
        return {}
    missing = [modality for modality in MODALITIES if modality not in named]
    if missing:
        (there,) = named
        raise InvalidInput(
            f"--{there}-teacher {named[there]!r} without --{missing[0]}-teacher; allowed: both, or "
            "neither (then both are trained on the dataset)"
        )
    external = {m: _given(m, named[m], folder, official) for m in MODALITIES}
    _check_common(external)
    return external


def known_classes(external: ExternalTeachers) -> frozenset[str]:
    """Normalised names of the classes of either teacher."""
    return frozenset(normalised(name) for facts in external.values() for name in facts.classes)


def working_size(external: ExternalTeachers) -> int | None:
    """Image size of a run in pixels: the larger input size of the two teachers."""
    sizes = [facts.image_size for facts in external.values() if facts.image_size is not None]
    return max(sizes, default=None)


def stored_teacher(
    name: str, folder: Path, official: Mapping[str, Path]
) -> tuple[Path, NetworkFacts]:
    """The file and facts of a stored network, by file or by a prefix of its identity.

    `official` has the networks that datasets provide, by identity; others are in the cache
    `folder`. Its tensors are not read. Raises `InvalidInput` if there is no such network, or more
    than one.
    """
    path = Path(name)
    if path.is_file():
        return path, _facts(path)
    found = []
    if _PREFIX.fullmatch(name):
        known = {**{file.stem: file for file in networks_in(folder)}, **official}
        found = [file for identity, file in sorted(known.items()) if identity.startswith(name)]
    if len(found) > 1:
        told = "; ".join(_told(path) for path in found[:_MOST])
        raise InvalidInput(
            f"{len(found)} networks have an identity that begins with {name!r} ({told}); allowed: "
            "a longer prefix (see: dfbench teachers list)"
        )
    if not found:
        raise InvalidInput(
            f"no network {name!r}; allowed: a file written by dfbench teachers import, or the "
            "first four or more digits of an identity (see: dfbench teachers list)"
        )
    return found[0], _facts(found[0])


def _given(
    modality: Modality, name: str, folder: Path, official: Mapping[str, Path]
) -> NetworkFacts:
    path, facts = stored_teacher(name, folder, official)
    if facts.kind not in (TEACHER, IMPORTED) or facts.modality != modality:
        what = f"{facts.modality} teacher" if facts.kind in (TEACHER, IMPORTED) else facts.kind
        raise InvalidInput(
            f"--{modality}-teacher {name!r} holds a {what}; allowed: a {modality} teacher (see: "
            "dfbench teachers list; to import a checkpoint: dfbench teachers import --modality "
            f"{modality})"
        )
    from dfbench.teachers.stored import read_facts  # imports torch, not needed for other runs

    kept = network_file(folder, facts.identity)
    if read_facts(kept) is None:
        if read_facts(path) is None:
            raise InvalidInput(
                f"--{modality}-teacher {name!r} is damaged; remove it and import the checkpoint "
                "again: dfbench teachers import --help"
            )
        with atomic_path(kept) as temporary:
            shutil.copyfile(path, temporary)
    return facts


def _told(path: Path) -> str:
    """A short description of a network for users to distinguish it from others."""
    header = read_header(path)
    if header is None:
        return f"{path.stem[:16]}: damaged"
    facts = header.facts
    modality = f"{facts.modality} " if facts.modality else ""
    return f"{path.stem[:16]}: {modality}{facts.kind}, {facts.origin or facts.network}"


def _facts(path: Path) -> NetworkFacts:
    try:
        header = read_header(path)
    except OSError as fault:
        raise InvalidInput(
            f"{str(path)!r} cannot be read ({fault.strerror or fault}): make it readable"
        ) from fault
    if header is None:
        raise InvalidInput(
            f"{str(path)!r} is not a network stored by dfbench; import a checkpoint first: dfbench "
            "teachers import --help"
        )
    return header.facts


def _check_common(external: ExternalTeachers) -> None:
    names = {m: {normalised(name) for name in external[m].classes} for m in MODALITIES}
    if not names["photo"] & names["sketch"]:
        told = "; ".join(f"{m}: {', '.join(sorted(names[m])[:5])}, ..." for m in MODALITIES)
        raise InvalidInput(
            f"the two teachers have no class in common ({told}); allowed: teachers whose class "
            "lists share names"
        )
