"""The checker itself has teeth: each lie about what was received or recorded is named by its invariant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.projects import TestProject
from tests.receiver import Received, Receiver

Lie = Callable[[Receiver], None]


def _lost(receiver: Receiver) -> None:
    receiver.journal.pop()


def _never_intended(receiver: Receiver) -> None:
    stranger = {**receiver.journal[0].records[0], "id": "99"}
    receiver.journal.append(Received("a key of nobody", [stranger], applied=True))


def _another_value(receiver: Receiver) -> None:
    records = [{**r, "fields": {**r["fields"], "name": "Eve"}} for r in receiver.journal[0].records]
    receiver.journal[0] = dataclasses.replace(receiver.journal[0], records=records)


def _one_key_twice(receiver: Receiver) -> None:
    receiver.journal.append(dataclasses.replace(receiver.journal[0], records=receiver.journal[0].records[:1]))


def _not_applied(receiver: Receiver) -> None:
    receiver.journal[0] = dataclasses.replace(receiver.journal[0], applied=False)


def _vanished(receiver: Receiver) -> None:
    del receiver.records["1"]


def _stale(receiver: Receiver) -> None:
    receiver.records["2"] = {"name": "an older name", "score": None}


@pytest.mark.parametrize(
    ("lie", "invariant"),
    [
        (_lost, "I5"),
        (_never_intended, "I4"),
        (_another_value, "I4"),
        (_one_key_twice, "I6"),
        (_not_applied, "I5"),
        (_vanished, "I5"),
        (_stale, "I5"),
    ],
)
def test_a_lie_about_what_the_destination_received_is_named(
    project: TestProject, receiver: Receiver, lie: Lie, invariant: str
) -> None:
    project.given.report()
    assert project.checked(receiver).acknowledged == 3
    journal, records = list(receiver.journal), {id: dict(fields) for id, fields in receiver.records.items()}
    lie(receiver)
    with pytest.raises(AssertionError, match=invariant):
        project.checked(receiver)
    receiver.journal[:], receiver.records = journal, records
