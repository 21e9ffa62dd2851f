"""One session for all examples of a process, and one stage per kind of sync in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from engine.core.consent_rule import OnWithdrawal
from engine.core.desired import Mode
from engine.segments.compute import Compute, Session
from tests.property import model
from tests.property.stage import Stage

Stages = Callable[[Mode, OnWithdrawal | None, bool, str], Stage]


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Compute("512MB", 1, tmp_path_factory.mktemp("spill")).session() as opened:
        yield opened


@pytest.fixture(scope="session")
def stages(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Stages:
    """The stage of a mode, with or without a consent rule, with doubts that wait or not, by the column that is matched.

    An example resets it.
    """
    made: dict[tuple[Mode, OnWithdrawal | None, bool, str], Stage] = {}
    folder = tmp_path_factory.mktemp("plans")

    def stage(mode: Mode, consent: OnWithdrawal | None, holds_doubt: bool, column: str) -> Stage:
        kind = (mode, consent, holds_doubt, column)
        if kind not in made:
            name = f"{mode}{f'_{consent}' if consent else ''}{'_hold' if holds_doubt else ''}_{column}_"
            mapping = model.mapping(mode, consent, column)
            made[kind] = Stage(session, mapping, folder, name, holds_doubt=holds_doubt)
        return made[kind]

    return stage
