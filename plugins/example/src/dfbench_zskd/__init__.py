"""Zero-Shot Knowledge Distillation for dfbench; importing this imports no torch."""

from __future__ import annotations

from dfbench import MethodSpec, hookimpl


@hookimpl
def dfbench_methods() -> list[MethodSpec]:
    """Return the method of this package."""
    return [MethodSpec("zskd", "ZSKD", "dfbench_zskd.zskd:ZSKD")]
