"""Desired minus delivered, record by record: what a plan asks for, as what people count it, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import pyarrow as pa
import pytest

from engine.core.consent_rule import OnWithdrawal
from engine.core.desired import FIELD, Mode, Refusal
from engine.core.plan import PlanRules, compared, counts, is_owed_to_people, operations, unconsented
from engine.core.state import FACTS, RESENT, payload_digest
from engine.segments.compute import Session

NAME = FIELD + "name"
TEXTS = ("id", "pk", "key", "subject", "basis")
DESIRED = pa.schema({**dict.fromkeys((*TEXTS, "refusal", NAME), pa.string()), "allowed": pa.bool_()})
STATE = ibis.schema({**FACTS, NAME: "string"}).to_pyarrow()
REFUSED = pa.schema({"id": pa.string(), "reason": pa.string()})
HELD: dict[str, Any] = {
    "acked": True,
    **dict.fromkeys(("unknown", "owed", "gone", "erase", "inert"), False),
    "attempts": 0,
    NAME: '"Ada"',
}
WANTED: dict[str, Any] = {"allowed": True, NAME: '"Ada"'}
NO: dict[str, Any] = {"allowed": False, "refusal": Refusal.CONSENT.value, NAME: '"Ada"'}
OTHER = {NAME: '"Bo"'}
TRIED = {"attempts": 3, "tried": "the digest of the other payload"}
DOUBT = {"unknown": True}
ROWS: Mapping[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "new": (WANTED, None),
    "equal": (WANTED, HELD),
    "silent": ({**WANTED, NAME: None}, HELD),
    "other": ({**WANTED, **OTHER}, HELD),
    "left": (None, HELD),
    "never held": (None, {**HELD, "acked": False}),
    "refused": (NO, HELD),
    "refused, not held": (NO, None),
    "refused, told": (NO, {**HELD, "inert": True}),
    "refused, in doubt": (NO, {**HELD, **DOUBT}),
    "forgotten": (WANTED, {**HELD, "erase": True}),
    "listed": (None, HELD),
    "in doubt": (WANTED, {**HELD, **DOUBT}),
    "left, in doubt": (None, {**HELD, **DOUBT}),
    "sent again": (WANTED, {**HELD, **DOUBT, "attempts": RESENT}),
    "told": (WANTED, {**HELD, "inert": True}),
    "rejected": ({**WANTED, **OTHER}, {**HELD, "attempts": 1}),
    "given up": ({**WANTED, **OTHER}, {**HELD, **TRIED}),
    "given up, other since": (WANTED, {**HELD, **OTHER, **TRIED}),
    "old key": (None, {**HELD, "pk": "moved"}),
    "new key": ({**WANTED, "pk": "moved"}, None),
}
INSERT, UPDATE, DELETE = ("send", "upsert", "insert"), ("send", "upsert", "update"), ("send", "delete", "delete")
ASIDE = {name: (name,) for name in ("unchanged", "unconsented", "quarantined", "absent", "in doubt", "unremovable")}
MIRROR = {
    "new": (*INSERT, "new"),
    "equal": ASIDE["unchanged"],
    "silent": ASIDE["unchanged"],
    "other": (*UPDATE, "changed"),
    "left": (*DELETE, "gone"),
    "never held": ASIDE["absent"],
    "refused": (*DELETE, "consent"),
    "refused, not held": ASIDE["unconsented"],
    "refused, told": (*DELETE, "consent"),
    "refused, in doubt": (*DELETE, "consent"),
    "forgotten": (*DELETE, "erasure"),
    "listed": (*DELETE, Refusal.SUPPRESSED.value),
    "in doubt": (*UPDATE, "outcome unknown"),
    "left, in doubt": (*DELETE, "gone"),
    "sent again": (*UPDATE, "sent again"),
    "told": (*UPDATE, "consent given again"),
    "rejected": (*UPDATE, "rejected before"),
    "given up": ASIDE["quarantined"],
    "given up, other since": (*UPDATE, "rejected before"),
    "old key": (*DELETE, "re-keyed"),
    "new key": (*INSERT, "new"),
}
GONE = dict.fromkeys(("left", "left, in doubt"), ASIDE["absent"])
AS_INSERT = dict.fromkeys(("new", "new key"), ("send", "insert", "insert", "new"))
AS_UPDATE = {
    name: ("send", "update", "update", ended[-1]) for name, ended in MIRROR.items() if ended[:2] == ("send", "upsert")
}
HELD_BACK = dict.fromkeys(("equal", "other", "told", "rejected", "given up, other since"), ASIDE["unchanged"])
UNSUBSCRIBED = dict.fromkeys(("refused", "refused, in doubt"), ("send", "unsubscribe", "update", "consent"))
LEFT_ALONE = dict.fromkeys(("refused", "refused, told", "refused, in doubt"), ASIDE["unconsented"])
CASES = {
    "mirror": (PlanRules(Mode.MIRROR, 3), {}),
    "upsert": (PlanRules(Mode.UPSERT, 3), GONE),
    "update": (PlanRules(Mode.UPDATE, 3), {**GONE, **AS_UPDATE}),
    "insert": (
        PlanRules(Mode.INSERT, 3),
        {
            **GONE,
            **AS_INSERT,
            **HELD_BACK,
            "given up": ASIDE["unchanged"],
            "in doubt": ("send", "insert", "update", "outcome unknown"),
            "sent again": ("send", "insert", "update", "sent again"),
        },
    ),
    "doubts wait": (
        PlanRules(Mode.MIRROR, 3, holds_doubt=True),
        dict.fromkeys(("in doubt", "left, in doubt"), ASIDE["in doubt"]),
    ),
    "nothing can be deleted": (
        PlanRules(Mode.MIRROR, 3, can_delete=False),
        dict.fromkeys(("forgotten", "listed"), ASIDE["unremovable"]),
    ),
    "people are unsubscribed": (
        PlanRules(Mode.UPSERT, 3, on_withdrawal=OnWithdrawal.UNSUBSCRIBE),
        {**GONE, **UNSUBSCRIBED, "refused, told": ASIDE["unconsented"]},
    ),
    "people are left alone": (
        PlanRules(Mode.UPSERT, 3, on_withdrawal=OnWithdrawal.IGNORE),
        {**GONE, **LEFT_ALONE},
    ),
}


def named(name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(TEXTS, name), **row}


def judged(session: Session, rules: PlanRules) -> ibis.Table:
    wanted = [named(name, row) for name, (row, _) in ROWS.items() if row is not None]
    held = [named(name, row) for name, (_, row) in ROWS.items() if row is not None]
    tried = session.rows(pa.table({NAME: [OTHER[NAME]]}))
    digest = session.single(tried.select(digest=payload_digest(tried, [NAME])))["digest"]
    state = [{**row, "tried": digest if "tried" in row else None} for row in held]
    listed = [{"id": "listed", "reason": Refusal.SUPPRESSED.value}]
    return compared(
        session.rows(pa.Table.from_pylist(wanted, schema=DESIRED)),
        session.rows(pa.Table.from_pylist(state, schema=STATE)),
        rules,
        session.rows(pa.Table.from_pylist(listed, schema=REFUSED)),
    )


@pytest.fixture(scope="module")
def mirror(session: Session) -> ibis.Table:
    """What is judged under the rules of a mirror, computed once."""
    found = judged(session, PlanRules(Mode.MIRROR, 3))
    return session.rows(pa.Table.from_pylist(session.fetch(found), schema=found.schema().to_pyarrow()))


@pytest.mark.parametrize(("rules", "differing"), CASES.values(), ids=CASES)
def test_each_record_gets_the_verdict_that_its_two_sides_and_the_rules_give(
    session: Session, rules: PlanRules, differing: dict[str, tuple[str, ...]]
) -> None:
    found = {
        row["id"]: tuple(row[n] for n in ("verdict", "op", "change", "reason"))
        if row["verdict"] == "send"
        else (row["verdict"],)
        for row in session.fetch(judged(session, rules))
    }

    assert found == {**MIRROR, **differing}


def test_removals_that_are_owed_leave_first_and_others_last(session: Session, mirror: ibis.Table) -> None:
    ids = [row["id"] for row in session.fetch(operations(mirror))]

    owed = ["forgotten", "listed", "refused", "refused, in doubt", "refused, told"]
    assert ids[:5] == owed
    assert ids[5:-3] == sorted(ids[5:-3])
    assert ids[-3:] == ["left", "left, in doubt", "old key"]


def test_what_differs_is_named_and_all_where_what_is_held_is_not_known(session: Session, mirror: ibis.Table) -> None:
    found = {row["id"]: row for row in session.fetch(mirror)}

    changed = {name: found[name]["changed"] for name in ("new", "equal", "silent", "other", "in doubt", "told", "left")}
    assert changed == {
        "new": '["name"]',
        "equal": "[]",
        "silent": "[]",
        "other": '["name"]',
        "in doubt": '["name"]',
        "told": '["name"]',
        "left": "[]",
    }
    assert (found["left"][NAME], found["left"]["b:name"]) == (None, '"Ada"')
    assert (found["old key"]["pk"], found["new key"]["pk"]) == ("moved", "moved")


def test_every_verdict_and_every_change_is_counted(session: Session, mirror: ibis.Table) -> None:
    all_deletes = session.single(counts(mirror))
    some_kept = session.single(counts(judged(session, PlanRules(Mode.MIRROR, 3, holds_doubt=True, can_delete=False))))

    endings = list(MIRROR.values())
    changes = {word: sum(ended[2:3] == (word,) for ended in endings) for word in ("insert", "update", "delete")}
    verdicts = {word: endings.count(ASIDE[word]) for word in ("unchanged", "unconsented", "quarantined")}
    assert all_deletes == {
        "inserts": changes["insert"],
        "updates": changes["update"],
        "deletes": changes["delete"],
        **verdicts,
        "in_doubt": 0,
        "unremovable": 0,
    }
    assert (some_kept["in_doubt"], some_kept["unremovable"]) == (2, 2)


def test_owed_to_people_are_removals_because_of_them_alone(session: Session, mirror: ibis.Table) -> None:
    plan = operations(mirror)

    owed = session.fetch(plan.filter(is_owed_to_people(plan)).select("id"))

    assert {row["id"] for row in owed} == {"forgotten", "listed", "refused", "refused, told", "refused, in doubt"}


def test_a_plan_that_sends_something_about_nobody_who_consents_is_told(session: Session, mirror: ibis.Table) -> None:
    plan = operations(mirror)
    granted = session.rows(pa.table({"subject": [name for name in ROWS if name != "other"]}))

    assert [row["id"] for row in session.fetch(unconsented(plan, granted))] == ["other"]
