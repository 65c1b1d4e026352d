"""Plugin files that tests write."""

from __future__ import annotations

_METHOD = """{head}
from torch import nn

from dfbench import Encoders, Method, MethodSpec, hookimpl


@hookimpl
def dfbench_methods():
    return [MethodSpec("{name}", "{title}", f"{{__name__}}:{kind}")]


class {kind}(Method):
    name, title, version = "{name}", "{title}", 1

    def fit(self, setting):
        {body}
        return Encoders(nn.Flatten(), nn.Flatten())
"""


def method_text(name: str, body: str = "pass", *, head: str = "", title: str = "") -> str:
    """A file of one method, whose `fit` does `body` and embeds images by their pixels.

    Lines of `body` after the first are indented by eight; `head` comes before all else.
    """
    kind = name.title()
    return _METHOD.format(head=head, name=name, title=title or kind, kind=kind, body=body)
