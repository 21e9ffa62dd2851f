"""A process that dies while somebody is forgotten leaves nothing half-forgotten: what follows finishes it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from engine.failpoints import FORGET_NAMES, VARIABLE
from tests.acceptance.test_erasure import CANARY, holding, told
from tests.projects import TestProject
from tests.receiver import receiving

pytestmark = [pytest.mark.slow, pytest.mark.crash]
SYNC = "people_to_hook"
POINTS = sorted(FORGET_NAMES)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("point", [*POINTS, "erase.before_commit@2", "erase.after_commit@3", "window.before_receipt"])
def test_a_kill_at_any_point_is_made_good(point: str, tmp_path: Path) -> None:
    name, _, hit = point.partition("@")
    with receiving() as receiver:
        project = TestProject(tmp_path, receiver.url)
        told(project)
        arguments = ("forget", "2", "--reason", "request 17")
        armed = {VARIABLE: f"{name}=kill" + (f"@{hit}" if hit else "")}

        died = project.run_process(*arguments, env=armed)
        assert died.code == -signal.SIGKILL, died
        if point == "forget.before_commit":
            project.run(*arguments)
        for _ in range(2):
            project.report()
            project.report("other")

        assert project.run("erasures", "list").code == 0
        assert "2" not in receiver.records
        assert holding(project, CANARY) == []
        assert project.run("ledger", "verify").code == 0
        project.checked(receiver)
