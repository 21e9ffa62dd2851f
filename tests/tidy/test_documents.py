"""The documents are true: commands parse, scripts run, links lead somewhere, and the lock is what it says."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from engine.faces.cli.destination import markdown_view
from engine.faces.cli.main import cli
from engine.failpoints import EVERY_NAME
from engine.service.adapters import adapters
from tests.tidy.tree import ROOT, files, functions, name, python_files

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DOCUMENTS = [path for path in files() if path.suffix == ".md"]
_CODE = re.compile(r"```[^\n]*\n(.*?)```|`([^`\n]+)`|^ {4}(\S[^\n]*)$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _code(text: str) -> Iterator[str]:
    for found in _CODE.findall(text):
        yield from (line.partition(" #")[0].strip().removeprefix("$ ") for line in "".join(found).splitlines())


def test_the_table_of_adapters_is_what_their_specs_say() -> None:
    page = (ROOT / "docs/destinations/README.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- adapters -->\n")[2].partition("<!-- /adapters -->")[0]

    made = "".join(f"{line.plain}\n" for line in markdown_view(adapters()))

    assert shown == made, "copy in what `tidegate destination adapters --markdown` prints"


def _shown_commands() -> list[str]:
    """Every ``tidegate …`` that stands in code in a document."""
    shown = {
        line
        for path in DOCUMENTS
        for line in _code(path.read_text(encoding="utf-8"))
        if re.match(r"tidegate(\s|$)", line)
    }
    return sorted(shown)


@pytest.mark.parametrize("shown", _shown_commands())
def test_every_command_in_a_document_is_one_that_the_command_line_takes(shown: str) -> None:
    words = re.sub(r"[\[\]]", " ", shown).replace("...", "").split()[1:]
    context, command, path = click.Context(cli), cli, ["tidegate"]
    while isinstance(command, click.Group):
        position = next((i for i, word in enumerate(words) if word in command.list_commands(context)), None)
        if position is None:
            break
        found = command.get_command(context, words.pop(position))
        assert found is not None
        command, path = found, [*path, found.name or ""]
    options = {
        option for part in (cli, command) for param in part.params for option in (*param.opts, *param.secondary_opts)
    }
    said = {word.partition("=")[0] for word in words if word.startswith("-")}

    assert said - options - {"--help", "-h"} == set(), f"{' '.join(path)} does not take these"
    if isinstance(command, click.Group):
        assert [word for word in words if not word.startswith("-")] == [], f"not a command of {' '.join(path)}"
    with pytest.raises(SystemExit) as end, click.Context(cli):
        cli.main([*path[1:], "--help"], prog_name="tidegate")
    assert end.value.code == 0


def test_the_readme_names_the_two_commands_and_they_can_be_run() -> None:
    readme = list(_code((ROOT / "README.md").read_text(encoding="utf-8")))

    assert {"scripts/demo", "scripts/test"} <= set(readme)


def test_every_script_that_a_document_names_exists_and_can_be_run() -> None:
    named = {
        (line.split()[0], name(path))
        for path in DOCUMENTS
        for line in _code(path.read_text(encoding="utf-8"))
        if re.match(r"(scripts|\.ci)/[\w/.-]*\w", line)
    }

    assert {(script, where) for script, where in named if not os.access(ROOT / script, os.X_OK)} == set()


def test_continuous_integration_calls_the_readmes_second_command() -> None:
    assert "scripts/test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_link_to_a_file_leads_to_one() -> None:
    broken = [
        f"{name(path)}: {target}"
        for path in DOCUMENTS
        for target in _LINK.findall(path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:|#", target) and not (path.parent / target.partition("#")[0]).exists()
    ]

    assert broken == []


def test_the_changelog_has_an_entry_for_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {PYPROJECT['project']['version']}" in changelog


def test_every_decision_record_is_listed() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    records = [path.name for path in (ROOT / "docs" / "adr").glob("0*.md")]

    assert records
    assert [record for record in records if f"({record})" not in index] == []


def test_the_lock_holds_versions_and_nothing_else() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    stray = [line for line in lines if not re.fullmatch(r"#.*|[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]

    assert stray == []


def test_the_lock_answers_every_requirement_of_the_project() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = {canonicalize_name(n): v for n, _, v in (line.partition("==") for line in lines if "==" in line)}
    project = PYPROJECT["project"]["dependencies"]
    wanted = [*project, *PYPROJECT["dependency-groups"]["dev"], *PYPROJECT["build-system"]["requires"]]
    requirements = [Requirement(text) for text in wanted]

    unanswered = [str(r) for r in requirements if not r.specifier.contains(locked.get(canonicalize_name(r.name), "0"))]

    assert unanswered == []


def test_every_test_that_a_document_names_exists() -> None:
    named = {test for path in DOCUMENTS for test in re.findall(r"`(test_\w+)`", path.read_text(encoding="utf-8"))}
    known = {function.name for path in python_files("tests") for function in functions(path)}

    assert named - known == set()


def test_every_failpoint_is_explained() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Failpoints")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", told)) == EVERY_NAME
