"""From a label, `crossx` or `crossx[bn]`, to a method with its configuration."""

from __future__ import annotations

from typing import get_args

from dfbench.errors import PluginFault, unknown_name
from dfbench.hookspecs import MethodSpec
from dfbench.method import Method, MethodConfig
from dfbench.need import Need
from dfbench.plugin_code import describe_fault, plugin_faults
from dfbench.plugin_probe import check_method
from dfbench.plugins import Offer, PluginHost
from dfbench.runs.row import Row, parse_label
from dfbench.runs.settings import configure
from dfbench.scenarios.division import Situation


def resolve(host: PluginHost, label: str, settings: dict[str, str]) -> tuple[Row, Method]:
    """The row of a label with the user's settings, and its method ready to fit.

    Raises `UnknownName`, `InvalidConfig`, or `PluginFault` if the plugin breaks its contract.
    """
    name, variant = parse_label(label)
    offer = host.method(name)
    cls = _method_class(offer)
    if variant is not None and variant not in cls.variants:
        raise unknown_name(f"variant of {name}", variant, cls.variants, f"dfbench describe {name}")
    base = cls.variants[variant] if variant else {}
    config = configure(cls.Config, base, settings, f"method {label!r}")
    try:
        with plugin_faults():
            return _row(offer, cls, variant, config), cls(config)
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(
            f"plugin {offer.plugin.name!r} {offer.plugin.version}: method {label!r} cannot be "
            f"made: {describe_fault(fault)}"
        ) from fault


def _method_class(offer: Offer[MethodSpec]) -> type[Method]:
    cls: type[Method] = offer.load()
    try:
        check_method(offer.spec, cls)
    except PluginFault as fault:
        raise PluginFault(f"plugin {offer.plugin.name!r}: {fault}") from fault
    return cls


def _row(
    offer: Offer[MethodSpec], cls: type[Method], variant: str | None, config: MethodConfig
) -> Row:
    needs = tuple(sorted(cls.needs(config)))
    return Row(
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
            situation: reason
            for situation in get_args(Situation)
            if (reason := cls.cannot(config, situation)) is not None
        },
    )


def _pairs_of(cls: type[Method], config: MethodConfig, needs: tuple[str, ...]) -> str | None:
    label = cls.pairs_of(config)
    if (label is not None) != (Need.GENERATED_PAIRS in needs):
        raise PluginFault(
            f"its needs() and pairs_of() disagree: {', '.join(needs) or 'no need'} and "
            f"{label!r}; allowed: Need.GENERATED_PAIRS with the label of a row, or neither"
        )
    return label
