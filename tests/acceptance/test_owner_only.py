"""What is kept about people is readable by nobody but the account that Tidegate runs under."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.projects import TestProject

SYNC = "people_to_hook"


@pytest.fixture(autouse=True)
def a_usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_every_folder_and_file_of_the_state_is_its_owners_only(project: TestProject) -> None:
    project.report()
    project.people({1: ("Ada", 1.5), 2: ("Bo", 2.5)})
    project.run("plan", SYNC)
    project.report()
    project.run("forget", "2", "--reason", "request 17")

    state = project.folder / ".tidegate"
    open_to_others = {
        str(path.relative_to(project.folder)): oct(path.stat().st_mode & 0o777)
        for path in (state, *state.rglob("*"))
        if path.stat().st_mode & 0o077
    }

    assert open_to_others == {}


def test_a_folder_that_an_operator_opened_for_a_group_stays_as_it_is(project: TestProject) -> None:
    state = project.folder / ".tidegate"
    state.mkdir(mode=0o750)

    project.report()

    assert state.stat().st_mode & 0o777 == 0o750
