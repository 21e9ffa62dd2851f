"""Arbitrary histories of a dataset, its consent and its destination, dense enough that what can meet does meet.

People live in households of three. Within one they swap, drop and take over mail addresses and share two consents;
households have nothing in common, so one example tries several at the price of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.property.model import Row

HOUSEHOLDS_MAX = 16
ROUNDS_MAX = 5
MEMBERS = 3
_MAILS = ("", "é", 'q"\\')
_SUBJECTS = ("s", "t")
_VALUES = ("", None, "null", "ü\n")
_BAD = (frozenset(), frozenset(), frozenset({"null"}), frozenset({"null", None}), frozenset({""}))


@dataclass(frozen=True)
class Edit:
    """What becomes of one person: a new row, or none."""

    row: Row | None


@dataclass(frozen=True)
class Round:
    """One trip: what changed before it, and what the destination answered for the records that it was sent.

    ``granted`` is None when nobody decided anything; ``outcomes`` names the ids, mail addresses or primary keys, that were
    not delivered. Rules of the contract find fault with the values ``bad``, so that the same row is quarantined in one version and not in the next.
    """

    edits: Mapping[int, Edit]
    granted: frozenset[str] | None
    outcomes: Mapping[str, str]
    bad: frozenset[str | None] = frozenset()


def histories() -> st.SearchStrategy[list[Round]]:
    """Rounds for one to `HOUSEHOLDS_MAX` households; in the first one everybody decides about consent."""
    return st.integers(1, HOUSEHOLDS_MAX).flatmap(
        lambda size: st.tuples(_rounds(size, st.just(True), 1), _rounds(size, st.booleans(), ROUNDS_MAX - 1)).map(
            lambda parts: [*parts[0], *parts[1]]
        )
    )


def edited(rows: Mapping[int, Row], edits: Mapping[int, Edit], bad: frozenset[str | None]) -> dict[int, Row]:
    """The next version of a dataset. A mail address has one owner among the good rows: the last who took it.

    Who had it loses it; a quarantined row keeps it, and several may claim the same.
    """
    result = {pk: row for pk, row in rows.items() if pk not in edits}
    result |= {pk: edit.row for pk, edit in edits.items() if edit.row is not None}
    taken: set[str] = set()
    for pk in sorted(result, key=lambda pk: (pk not in edits, pk)):
        row = result[pk]
        if row.mail is None or row.a in bad:
            continue
        if row.mail in taken:
            result[pk] = Row(None, row.a, row.b, row.subject)
        taken.add(row.mail)
    return result


def _rounds(households: int, decided: st.SearchStrategy[bool], count: int) -> st.SearchStrategy[list[Round]]:
    homes = st.tuples(*(_HOMES[number] for number in range(households)))
    rounds = st.tuples(decided, homes, st.sampled_from(_BAD)).map(lambda drawn: _round(*drawn))
    return st.lists(rounds, min_size=1 if count == 1 else 0, max_size=count)


_Home = tuple[tuple[tuple[int, Edit | None], ...], frozenset[str], tuple[tuple[tuple[str, str], str], ...]]


def _round(decided: bool, homes: Sequence[_Home], bad: frozenset[str | None]) -> Round:
    return Round(
        {pk: edit for people, _, _ in homes for pk, edit in people if edit is not None},
        frozenset().union(*(granted for _, granted, _ in homes)) if decided else None,
        {id: word for _, _, answers in homes for ids, word in answers if word != "delivered" for id in ids},
        bad,
    )


def _home(number: int) -> st.SearchStrategy[_Home]:
    mails = [f"{mail}{number}" if mail or number else "" for mail in _MAILS]
    subjects = [f"{subject}{number}" for subject in _SUBJECTS]
    rows = itertools.product([*mails, None], _VALUES, [None, 0], subjects)
    edits = [*[None] * 30, *(Edit(Row(*row)) for row in rows), *[Edit(None)] * 16]
    people = [st.tuples(st.just(number * MEMBERS + i), st.sampled_from(edits)) for i in range(MEMBERS)]
    grants = st.sampled_from([frozenset(subjects), frozenset(subjects[:1]), frozenset(subjects[1:]), frozenset()])
    words = st.sampled_from(["delivered", "delivered", "delivered", "rejected", "rejected", "failed", "unknown"])
    answers = [st.tuples(st.just((mail, str(number * MEMBERS + i))), words) for i, mail in enumerate(mails)]
    return st.tuples(st.tuples(*people), grants, st.tuples(*answers))


_HOMES = [_home(number) for number in range(HOUSEHOLDS_MAX)]
