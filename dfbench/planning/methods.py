"""From a label, `crossx` or `crossx[bn]`, to a method with its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from typing import Any, get_args

from dfbench.errors import PluginFault, unknown_name
from dfbench.hookspecs import MethodSpec
from dfbench.method import Method, MethodConfig
from dfbench.need import Need
from dfbench.planning.settings import configure
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.plugins.host import Offer, PluginHost
from dfbench.plugins.info import MethodInfo, parse_label
from dfbench.plugins.probe import check_method
from dfbench.scenarios.classes import ScenarioKind


def resolve(host: PluginHost, label: str, settings: dict[str, str]) -> tuple[MethodInfo, Method]:
    """The facts of a label with the user's settings, and its method ready to fit.

    Raises `UnknownName`, `InvalidConfig`, or `PluginFault` if the plugin breaks its contract.
    """
    cls, base = method_class(host, label)
    name, variant = parse_label(label)
    see = f"dfbench describe {name}"
    config = configure(cls.Config, base, settings, f"method {label!r}", see=see)
    offer = host.method(name)
    with _plugin_faults_of(offer, label):
        method = _built(cls, config.model_dump(mode="json"))
        return _info(offer, cls, variant, method.config), method


def rebuilt(host: PluginHost, info: MethodInfo) -> Method:
    """The method of a planned run, built again from the stored configuration.

    Raises like `resolve`.
    """
    cls, _ = method_class(host, info.label)
    with _plugin_faults_of(host.method(info.name), info.label):
        return _built(cls, info.config)


def method_class(host: PluginHost, label: str) -> tuple[type[Method], Mapping[str, Any]]:
    """The class of a label, and the settings in which the label differs from the defaults.

    Raises `UnknownName`, or `PluginFault` for a class that cannot be imported or is not a method.
    """
    name, variant = parse_label(label)
    cls = _loaded(host.method(name))
    if variant is not None and variant not in cls.variants:
        raise unknown_name(f"variant of {name}", variant, cls.variants, f"dfbench describe {name}")
    return cls, cls.variants[variant] if variant else {}


def built(cls: type[Method], config: MethodConfig) -> Method:
    """`cls(config)`, which must keep its configuration unchanged.

    Raises `PluginFault` if it does not, and any error of the plugin's code.
    """
    remedy = "let it be __init__(self, config), and call super().__init__(config)"
    try:
        signature(cls).bind(config)
    except TypeError as fault:
        raise PluginFault(
            f"its __init__ cannot take its configuration ({fault}); {remedy}"
        ) from fault
    given = config.model_dump(mode="json")
    method = cls(config)
    kept = getattr(method, "config", None)
    if not isinstance(kept, MethodConfig):
        raise PluginFault(f"its __init__ leaves no configuration in self.config; {remedy}")
    changed = difference(given, kept.model_dump(mode="json"))
    if changed or type(kept) is not type(config):
        change = changed or f"a {type(kept).__name__}"
        raise PluginFault(f"its __init__ modifies its configuration: {change}; {remedy}")
    return method


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Which settings differ, `width=4 where 8 was given`; empty if none does."""
    return ", ".join(
        f"{name}={after.get(name)!r} where {before.get(name)!r} was given"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _built(cls: type[Method], content: dict[str, Any]) -> Method:
    """The method of a configuration as stored in records and jobs."""
    config = cls.Config.model_validate_json(json.dumps(content))
    changed = difference(content, config.model_dump(mode="json"))
    if changed:
        raise PluginFault(
            f"its Config is not the same after a round trip through JSON: {changed}; use plain "
            "types, and validators that do not change validated values"
        )
    return built(cls, config)


@contextmanager
def _plugin_faults_of(offer: Offer[MethodSpec], label: str) -> Iterator[None]:
    try:
        with plugin_faults():
            yield
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(
            f"plugin {offer.plugin.name!r} {offer.plugin.version}: method {label!r} cannot be "
            f"made: {describe_fault(fault)}"
        ) from fault


def _loaded(offer: Offer[MethodSpec]) -> type[Method]:
    cls: type[Method] = offer.load()
    try:
        check_method(offer.spec, cls)
    except PluginFault as fault:
        raise PluginFault(f"plugin {offer.plugin.name!r}: {fault}") from fault
    return cls


def _info(
    offer: Offer[MethodSpec], cls: type[Method], variant: str | None, config: MethodConfig
) -> MethodInfo:
    needs = tuple(sorted(cls.needs(config)))
    return MethodInfo(
        name=cls.name,
        variant=variant,
        title=cls.title,
        version=cls.version,
        plugin=offer.plugin.name,
        plugin_version=offer.plugin.version,
        config=config.model_dump(mode="json"),
        needs=needs,
        beside=offer.spec.beside,
        pairs_of=_pairs_of(cls, config, needs),
        cannot={
            kind: reason
            for kind in get_args(ScenarioKind)
            if (reason := cls.cannot(config, kind)) is not None
        },
        trains=_trains(offer.spec, cls, config),
    )


def _trains(spec: MethodSpec, cls: type[Method], config: MethodConfig) -> bool:
    if not spec.trains:
        return False
    answer: object = cls.trains(config)
    if not isinstance(answer, bool):
        raise PluginFault(f"its trains() returns {answer!r}; allowed: True or False")
    return answer


def _pairs_of(cls: type[Method], config: MethodConfig, needs: tuple[str, ...]) -> str | None:
    label = cls.pairs_of(config)
    if (label is not None) != (Need.GENERATED_PAIRS in needs):
        raise PluginFault(
            f"its needs() and pairs_of() disagree: {', '.join(needs) or 'no need'} and "
            f"{label!r}; allowed: Need.GENERATED_PAIRS with the label of a method, or neither"
        )
    return label
