"""Every runbook has its page with six steps, and every error that concerns an operator names one."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import engine.faces.cli.errors as told
from engine.errors import LedgerRegressed, TidegateError
from engine.faces.cli.errors import Report
from engine.runbooks import NAMES, OF_ERRORS, WITHOUT
from engine.service.runbooks import STEPS, runbook, runbooks
from tests.cli.door import tidegate
from tests.tidy.tree import ROOT

LINES_MAX = 70
PAGES = ROOT / "docs" / "runbooks"


def kinds(error: type[TidegateError]) -> Iterator[type[TidegateError]]:
    yield error
    for kind in error.__subclasses__():
        yield from kinds(kind)


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_six_steps_on_one_page_and_says_what_to_type(name: str) -> None:
    page = runbook(name)

    assert tuple(step.name for step in page.steps) == STEPS
    assert page.title
    assert page.about
    assert all(step.text for step in page.steps)
    commands = {step.name: step.commands for step in page.steps}
    assert all(commands[step] for step in ("Confirm", "Locate", "Repair", "Verify")), commands
    assert len((PAGES / f"{name}.md").read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_every_page_is_a_runbook_and_stands_in_the_list() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    index = (PAGES / "README.md").read_text(encoding="utf-8")

    assert pages == set(NAMES)
    assert [name for name in NAMES if f"[{name}]({name}.md)" not in index] == []


def test_every_error_has_a_runbook_or_needs_none() -> None:
    assert issubclass(told.Bug, TidegateError), "the errors of the command line count too"
    codes = {kind.code for kind in kinds(TidegateError) if kind.__module__.startswith("engine.")}

    assert codes == set(OF_ERRORS) | WITHOUT
    assert set(OF_ERRORS) & WITHOUT == set()
    assert set(OF_ERRORS.values()) <= set(NAMES)


def test_an_error_names_its_runbook_to_people_and_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Report(as_json=True, debug=False, redact=str).tell(LedgerRegressed("It went back in time", next="restore it"))

    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["runbook"] == "ledger-unreachable"
    assert err.endswith("Next: restore it. Runbook: `tidegate runbook ledger-unreachable`.\n")


def test_the_command_lists_them_and_shows_one(capsys: pytest.CaptureFixture[str]) -> None:
    listed = tidegate(capsys, "runbook")
    shown = tidegate(capsys, "runbook", "auth")

    assert all(page.title in listed.out for page in runbooks())
    assert [line for line in shown.out.splitlines() if line in STEPS] == list(STEPS)
    assert "    tidegate destination check DESTINATION" in shown.out


def test_a_name_that_is_nearly_one_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys, "runbook", "disk-ful")

    assert ended.code == 2
    assert "did you mean `disk-full`?" in ended.err
