"""Each runbook that can be drilled leads back to a destination as desired, by the commands that stand on it."""

from __future__ import annotations

import pytest

from engine.runbooks import NAMES
from engine.service.drill_faults import FAILURES
from engine.service.runbooks import runbook
from tests.cli.door import tidegate

NOT_YET = {"throttling", "auth", "late-rows", "stuck-job", "erasure-overdue", "lease-fights"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_a_drill_follows_its_page_and_ends_as_desired(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys, "--json", "drill", name)

    report = ended.document
    assert (ended.code, report["restored"], report["why"]) == (0, True, "")
    assert 0 < report["seconds_to_detect"] < report["seconds_to_restore"]
    on_the_page = [command for step in runbook(name).steps for command in step.commands]
    assert [typed["command"] for typed in report["commands"]] == on_the_page


def test_a_runbook_without_a_drill_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(NAMES) - set(FAILURES) == NOT_YET

    ended = tidegate(capsys, "drill", "auth")

    assert ended.code == 2
    assert "`auth` cannot be drilled yet" in ended.err
