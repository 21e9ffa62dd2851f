"""What somebody types as a reason is kept for ever, so every command that asks for one refuses an address (I24)."""

from __future__ import annotations

import pytest

from tests.projects import TestProject

SYNC = "people_to_hook"


@pytest.mark.parametrize(
    "command",
    [
        ("rollback", SYNC, "--to", "1", "--reason"),
        ("unpin", SYNC, "--reason"),
        ("dataset", "withdraw", "people@1", "--reason"),
        ("resync", SYNC, "--reason"),
        ("approve", "20261130T000000-abcdef", "--comment"),
        ("reject", "20261130T000000-abcdef", "--comment"),
        ("ledger", "accept-regression", "--reason"),
        ("forget", "2", "--reason"),
        ("dataset", "hold", "people@1", "--reason"),
        ("dataset", "release", "people@1", "--reason"),
        ("pause", SYNC, "--reason"),
        ("resume", SYNC, "--reason"),
        ("cancel", SYNC, "--reason"),
        ("backfill", SYNC, "--from", "1", "--to", "1", "--reason"),
        ("contract", "deprecate", "people@1", "--until", "2030-01-01", "--use", "people@2", "--reason"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_reason_with_an_address_is_refused_before_anything_is_done(
    project: TestProject, command: tuple[str, ...]
) -> None:
    outcome = project.run(*command, "ask ada@example.org")
    assert outcome.code == 2
    assert "names somebody" in outcome.err
    assert command[-1] in outcome.err
    assert "ada@" not in outcome.err
