"""The rules that a method has to keep, in the order in which a report tells them; free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dfbench.errors import unknown_name


class CheckFailed(Exception):
    """A method does not keep a rule; the text says how, in one line."""


@dataclass(frozen=True)
class Check:
    """A rule that a method has to keep."""

    name: str
    """What a report, a test's id and `expected_failures` call it."""
    rule: str
    """The rule as a clause."""
    target: str
    """Function of a `Stage` in this package, `module:name`: returns a remark or None, raises
    `CheckFailed` or whatever the plugin's code raises."""
    after: tuple[str, ...] = ()
    """Checks without which this one cannot be made."""


_CLASS = ("class",)
_FIT = ("fit",)
_EMBEDDED = ("fit", "embeddings")

CHECKS = (
    Check("class", "its class can be imported and made", "declarations:made"),
    Check("names", "name, title and version are fit for print", "declarations:names", _CLASS),
    Check("config", "settings are validated, frozen and documented", "declarations:config", _CLASS),
    Check("construction", "it is made from its configuration", "construction:kept", _CLASS),
    Check("fit", "fit() makes encoders of what needs() declares", "fits:fit", _CLASS),
    Check("needs", "what it uses is what it declares", "fits:needs", _FIT),
    Check("configuration", "fit() leaves its configuration as it is", "fits:configuration", _FIT),
    Check("teachers", "both teachers stay as they are", "fits:teachers", _FIT),
    Check("global-randomness", "no global random state is used", "fits:global_randomness", _FIT),
    Check("embeddings", "embeddings are finite and of one width", "encoders:embeddings", _FIT),
    Check("batch-sizes", "batches of any size are mapped", "encoders:batch_sizes", _EMBEDDED),
    Check(
        "batch-independence",
        "an embedding depends on its own image only",
        "encoders:batch_independence",
        _EMBEDDED,
    ),
    Check("modes", "embedding, train() and eval() change nothing", "encoders:modes", _EMBEDDED),
    Check("devices", "encoders move, and a GPU gives embeddings", "fits:devices", _EMBEDDED),
    Check("determinism", "one seed gives one result", "fits:determinism", _EMBEDDED),
    Check("resume", "a killed fit ends with the same result", "fits:resume", ("determinism",)),
    Check("overlap", "teachers may know different classes", "fits:overlap", _FIT),
    Check("chance", "retrieval beats a random order", "fits:chance", _EMBEDDED),
)


def check_named(name: str) -> Check:
    """The check of a name. Raises `UnknownName`."""
    for check in CHECKS:
        if check.name == name:
            return check
    raise unknown_name("check", name, (c.name for c in CHECKS), "dfbench check --help")


def chosen_checks(only: Iterable[str] = ()) -> tuple[Check, ...]:
    """The checks of these names in the kit's order; all without any. Raises `UnknownName`."""
    wanted = {check_named(name).name for name in only}
    return tuple(check for check in CHECKS if not wanted or check.name in wanted)
