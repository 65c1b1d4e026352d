"""From `NAME` or `NAME:KEY=VALUE,...` to a re-ranker with its configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dfbench.errors import PluginFault
from dfbench.evaluation.reranking.reranker import Reranker, RerankerConfig
from dfbench.hookspecs import RerankerSpec
from dfbench.planning.settings import configure
from dfbench.plugins.code import describe_fault, plugin_faults
from dfbench.plugins.host import Offer, PluginHost
from dfbench.plugins.info import RerankerInfo, parse_choice


def resolve_reranker(host: PluginHost, text: str) -> tuple[RerankerInfo, Reranker]:
    """The facts of a re-ranker with the user's settings, and the re-ranker itself.

    Raises `UnknownName`, `InvalidConfig`, or `PluginFault` if the plugin breaks its contract.
    """
    name, settings = parse_choice(text)
    offer = host.reranker(name)
    cls = _loaded(offer)
    config = configure(
        cls.Config,
        {},
        settings,
        f"re-ranker {name!r}",
        use=f"--rerank {name}:{{key}}=VALUE",
        see="dfbench list rerankers",
    )
    content = config.model_dump(mode="json")
    with _faults_told(offer):
        usual = cls.Config().model_dump(mode="json")
        info = RerankerInfo(
            name=name,
            title=cls.title,
            version=cls.version,
            plugin=offer.plugin.name,
            plugin_version=offer.plugin.version,
            definition=cls.definition,
            config=content,
            changed={key: value for key, value in content.items() if value != usual[key]},
        )
        return info, _built(cls, content)


def rebuilt_reranker(host: PluginHost, info: RerankerInfo) -> Reranker:
    """The re-ranker of a job, built again from the stored configuration."""
    offer = host.reranker(info.name)
    cls = _loaded(offer)
    with _faults_told(offer):
        return _built(cls, info.config)


def _built(cls: type[Reranker], content: dict[str, Any]) -> Reranker:
    return cls(cls.Config.model_validate_json(json.dumps(content)))


def _loaded(offer: Offer[RerankerSpec]) -> type[Reranker]:
    """The class of an offer. Raises `PluginFault` unless it keeps the contract."""
    cls: Any = offer.load()
    wrong = class_error(cls, offer.spec)
    if wrong:
        raise PluginFault(
            f"plugin {offer.plugin.name!r} {offer.plugin.version}: target {offer.spec.target!r} "
            f"{wrong}"
        )
    found: type[Reranker] = cls
    return found


def class_error(cls: Any, spec: RerankerSpec) -> str | None:
    """How the target of a spec breaks the contract of re-rankers; None if it keeps it."""
    if not (isinstance(cls, type) and issubclass(cls, Reranker)):
        return "is not a subclass of dfbench.Reranker"
    if getattr(cls, "name", None) != spec.name:
        return f"has the name {getattr(cls, 'name', None)!r}; allowed: {spec.name!r}, as registered"
    return _wrong_fact(cls) or _wrong_config(cls.Config)


def _wrong_fact(cls: type[Reranker]) -> str | None:
    if cls.__abstractmethods__:
        return f"does not define {', '.join(sorted(cls.__abstractmethods__))}"
    for field in ("title", "definition"):
        text = getattr(cls, field, None)
        if not (isinstance(text, str) and text.strip() and text.isprintable()):
            return f"has {field}={text!r:.60}; allowed: one line of text"
    if not isinstance(cls.version, int) or isinstance(cls.version, bool) or cls.version < 1:
        return f"has version={cls.version!r:.60}; allowed: a whole number from 1"
    return None


def _wrong_config(config: Any) -> str | None:
    if not (isinstance(config, type) and issubclass(config, RerankerConfig)):
        return "has a Config that is not a subclass of dfbench.RerankerConfig"
    required = [name for name, field in config.model_fields.items() if field.is_required()]
    if required:
        return f"has no default for {', '.join(required)}; allowed: settings with defaults only"
    return None


@contextmanager
def _faults_told(offer: Offer[RerankerSpec]) -> Iterator[None]:
    try:
        with plugin_faults():
            yield
    except Exception as fault:  # whatever a plugin raises
        raise PluginFault(
            f"plugin {offer.plugin.name!r} {offer.plugin.version}: re-ranker "
            f"{offer.spec.name!r} cannot be made: {describe_fault(fault)}"
        ) from fault
