"""A plan may look only at what changed when nothing else decides what a record should be; else it says why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.compare import INCOMPLETE, Full, Incremental, comparison
from engine.core.events import Place, StateFolded
from engine.core.names import Digest, RunId, SyncId, VersionNumber

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MAPPING = Digest("a" * 64)
REGISTERS = {"consents@1": 7}
STATE = StateFolded(
    run=RunId("r"),
    sync=SyncId("s"),
    segments=(),
    version=VersionNumber(41),
    mapping=MAPPING,
    place=Place("crm", "contacts", ("id",)),
    registers=REGISTERS,
    consent_until=None,
    delivered=10,
    owed=0,
)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, Full("first run")),
        (replace(STATE, version=INCOMPLETE), Full("the plan before was not sent to its end")),
        (replace(STATE, mapping=Digest("b" * 64)), Full("the mapping changed")),
        (replace(STATE, registers={"consents@1": 8}), Full("consent decisions changed")),
        (replace(STATE, registers={"consents@1": 6}), Full("consent decisions changed")),
        (replace(STATE, registers={}), Full("consent decisions changed")),
        (replace(STATE, registers={"consents@1": 7, "others@1": 1}), Full("consent decisions changed")),
        (replace(STATE, consent_until=NOW.isoformat()), Full("a consent has expired")),
        (replace(STATE, consent_until=(NOW - timedelta(days=1)).isoformat()), Full("a consent has expired")),
        (replace(STATE, consent_until="2026-11-25T13:59:59+02:00"), Full("a consent has expired")),
        (
            replace(STATE, consent_until=(NOW + timedelta(microseconds=1)).isoformat()),
            Incremental(VersionNumber(41), False),
        ),
        (STATE, Incremental(VersionNumber(41), unsettled=False)),
        (replace(STATE, owed=1), Incremental(VersionNumber(41), unsettled=True)),
    ],
)
def test_what_was_folded_decides_how_to_compare(state: StateFolded | None, expected: Full | Incremental) -> None:
    assert comparison(state, mapping=MAPPING, registers=REGISTERS, now=NOW) == expected


def test_registers_are_compared_by_content() -> None:
    state = replace(STATE, registers={"a@1": 1, "b@1": 2})

    assert isinstance(comparison(state, mapping=MAPPING, registers={"b@1": 2, "a@1": 1}, now=NOW), Incremental)


def test_the_reason_says_which_records_are_looked_at() -> None:
    assert Incremental(VersionNumber(3), unsettled=False).reason == "changes since version 3"
    assert Incremental(VersionNumber(3), unsettled=True).reason == "changes since version 3 and records that are owed"
