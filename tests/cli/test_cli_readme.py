"""What README and guide tell a user to type exists: commands, options, rows, datasets, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dfbench.cli.app import app
from dfbench.plugins.host import PluginHost

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "plugins/README.md")
}
README = PAGES["README.md"]


def commands() -> Iterator[str]:
    for text in PAGES.values():
        for block in re.findall(r"^```\w*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            yield from (part for part in re.split(r"\n| && ", block) if part.startswith("dfbench "))
        yield from re.findall(r"`(dfbench [^`]+ [^`]+)`", text)


@pytest.mark.parametrize("command", dict.fromkeys(commands()))
def test_commands_of_the_pages_have_the_options_they_are_given(command: str) -> None:
    group, words = app, shlex.split(command)[1:]
    while isinstance(group, click.Group):
        name, found, words = group.resolve_command(click.Context(group), words)
        assert name is not None
        assert found is not None, command
        group = found
    group.make_context(name, words)


def first_column(title: str) -> str:
    section = README.split(f"\n## {title}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^\| (`[^-|][^|]*) \|", section, re.MULTILINE))


def test_readme_names_every_row_and_variant() -> None:
    host, rows, label = PluginHost(), re.findall(r"`([^`]+)`", first_column("Rows")), ""
    named: dict[str, set[str]] = {}
    for row in rows:
        label = label if row.startswith("[") else row.partition("[")[0]
        named.setdefault(label, set()).update(re.findall(r"\[(.+)\]", row))
    paragraph = README.split("`crossx` has further variants: ")[1].split("\n\n")[0]
    named["crossx"] |= set(re.findall(r"`([a-z-]+)`", paragraph.split("Rows that train")[0]))
    assert named == {
        name: set(host.method(name).load().variants)
        for name, offer in host.methods.items()
        if offer.plugin.name == "baselines"
    }


def test_readme_names_every_dataset() -> None:
    named = set(re.findall(r"`([^`:]+)(?::PATH)?`", first_column("Data")))
    twins = {"tuberlin-ext", "quickdraw-ext"}
    assert named | twins == set(PluginHost().datasets)


def test_files_that_the_pages_name_are_there() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^):]+)\)", text):
            assert (ROOT / page).parent.joinpath(link).exists(), link
    suites = re.findall(r"benchmarks/[\w-]+\.toml", README)
    assert suites
    assert all((ROOT / suite).is_file() for suite in suites)
