"""What README and docs tell a user to type exists: commands, options, methods, datasets."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dfbench.cli.app import app
from dfbench.plugins.host import PluginHost

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"commands.md", "api.md"}
FILES = (
    *(
        ROOT / "README.md",
        ROOT / "plugins" / "README.md",
        ROOT / "plugins" / "example" / "README.md",
    ),
    *sorted(ROOT.glob("docs/*.md")),
)
PAGES = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in FILES}
METHODS, DATA = PAGES["docs/methods.md"], PAGES["docs/data.md"]


def commands() -> Iterator[str]:
    for page, text in PAGES.items():
        if Path(page).name in GENERATED:
            continue
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
    if words != ["--help"]:
        group.make_context(name, words)


def first_column(page: str, title: str) -> str:
    section = f"\n{page}".split(f"# {title}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^\| (`[^-|][^|]*) \|", section, re.MULTILINE))


def test_documentation_names_every_method_and_variant() -> None:
    host, label = PluginHost(), ""
    named: dict[str, set[str]] = {}
    for name in re.findall(r"`([^`]+)`", first_column(METHODS, "Overview")):
        label = label if name.startswith("[") else name.partition("[")[0]
        named.setdefault(label, set()).update(re.findall(r"\[(.+)\]", name))
    ablations = METHODS.split("\n### Ablations of CrossX-DFL\n")[1].split("\n\n")[0]
    named["crossx"] |= set(re.findall(r"`([a-z-]+)`", ablations.partition("\n| ---")[2]))
    assert named == {
        name: set(host.method(name).load().variants)
        for name, offer in host.methods.items()
        if offer.plugin.name == "baselines"
    }


def test_documentation_names_every_dataset() -> None:
    named = set(re.findall(r"`([^`:]+)(?::PATH)?`", first_column(DATA, "Datasets")))
    twins = {"tuberlin-ext", "quickdraw-ext"}
    assert named | twins == set(PluginHost().datasets)


def test_files_that_the_pages_name_are_there() -> None:
    for page, text in PAGES.items():
        for link in re.findall(r"\]\(([^):#]+)[^):]*\)", text):
            assert (ROOT / page).parent.joinpath(link).exists(), (page, link)
    named = {
        suite for text in PAGES.values() for suite in re.findall(r"benchmarks/[\w-]+\.toml", text)
    }
    assert named
    assert all((ROOT / suite).is_file() for suite in named)


def test_documentation_lists_every_suite() -> None:
    listed = re.findall(
        r"`([\w-]+\.toml)`", first_column(PAGES["docs/suites.md"], "Suites: many runs")
    )
    files = {
        file.name: tomllib.loads(file.read_text("utf-8")) for file in ROOT.glob("benchmarks/*.toml")
    }
    suites = {name for name, content in files.items() if "methods" in content}
    assert set(listed) == suites


def test_readme_shows_a_result_within_one_screen_and_the_two_commands_that_do_everything() -> None:
    lines = PAGES["README.md"].splitlines()
    assert lines.index("pip install -e . && dfbench run --method crossx --dataset shapes") < 10
    assert next(i for i, line in enumerate(lines) if line.startswith(" CrossX-DFL  ")) < 30
    (tests,) = (line for line in lines if line.startswith("pip install -e '.[test]' && pytest"))
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == tests.partition(" && ")[2]
