"""What was delivered says by itself whom it is about, and so who must not be held any more."""

from __future__ import annotations

import hashlib
import json

import ibis
import pyarrow as pa
import pytest

from engine.core.consent import taken_back
from engine.core.desired import FIELD, FieldMapping, MatchKey, Mode
from engine.core.desired import Mapping as SyncMapping
from engine.core.preparation import Hash, Normalisation, Preparation
from engine.core.state import FACTS
from engine.core.suppression import Identifier, entries, listed_records
from engine.segments.compute import Session


def held(session: Session, fields: tuple[str, ...], *rows: dict[str, object]) -> ibis.Table:
    schema = ibis.schema({**FACTS, **{FIELD + name: "string" for name in fields}}).to_pyarrow()
    return session.rows(pa.Table.from_pylist(list(rows), schema=schema))


@pytest.mark.parametrize(
    ("subject", "is_back"),
    [("granted", False), ("Withdrawn@x.example ", True), ("nobody knows", False), (None, False)],
)
def test_only_who_is_known_and_does_not_consent_took_consent_back(
    session: Session, subject: str | None, is_back: bool
) -> None:
    register = session.rows(pa.table({"reach": ["granted", "withdrawn@x.example"]}))
    granted = session.rows(pa.table({"subject": ["granted"], "basis": ["[]"]}))

    found = session.fetch(taken_back(held(session, (), {"id": "1", "subject": subject}), register, granted))

    assert found == ([{"id": "1", "reason": "consent"}] if is_back else [])


def sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


HASHED = Preparation(Normalisation.EMAIL, Hash.SHA256)
DIGITS = Preparation(Normalisation.PHONE_DIGITS)
SENT = {
    "an address as it is": ("mail", Preparation(), json.dumps(" Ada@x.example"), True),
    "the hash of an address": ("mail", HASHED, json.dumps(sha256("ada@x.example")), True),
    "the hash of another": ("mail", HASHED, json.dumps(sha256("bo@x.example")), False),
    "a number without its plus": ("phone", DIGITS, json.dumps("442079460018"), True),
    "an id that is a number": ("number", Preparation(), "17", True),
    "nothing": ("mail", Preparation(), "null", False),
    "a field that was never sent": ("mail", Preparation(), None, False),
    "another column": ("other", Preparation(), json.dumps("ada@x.example"), False),
}


@pytest.mark.parametrize(("column", "prepare", "sent", "is_met"), SENT.values(), ids=SENT)
def test_a_list_meets_what_was_delivered_in_the_form_that_was_sent(
    session: Session, column: str, prepare: Preparation, sent: str | None, is_met: bool
) -> None:
    mapping = SyncMapping(
        "people", Mode.UPSERT, (MatchKey("key", "key"),), (FieldMapping("to", column, prepare=prepare),)
    )
    columns = (("mail", Identifier.EMAIL), ("phone", Identifier.PHONE), ("number", Identifier.ID))
    named = ("ada@x.example", "+44 20 7946 0018", "17")
    lists = tuple(
        (kind, session.cached(entries(session.rows(pa.table({"value": [value]})), kind)))
        for (_, kind), value in zip(columns, named, strict=True)
    )
    row = {"id": "1", "key": '{"key":"1"}', "pk": "1", FIELD + "to": sent}

    found = session.fetch(listed_records(held(session, ("to",), row), mapping, ("id",), columns, lists))

    assert found == ([{"id": "1", "reason": "suppressed"}] if is_met else [])


def test_a_list_meets_the_key_the_subject_and_the_primary_key(session: Session) -> None:
    mapping = SyncMapping("people", Mode.UPSERT, (MatchKey("k", "mail"), MatchKey("n", "n")), (), person="who")
    columns = (("mail", Identifier.EMAIL), ("who", Identifier.ID), ("pk", Identifier.ID))
    lists = tuple(
        (kind, session.cached(entries(session.rows(pa.table({"value": [value]})), kind)))
        for kind, value in ((Identifier.EMAIL, "ada@x.example"), (Identifier.ID, "17"))
    )
    rows = [
        {"id": "key", "key": '{"k":"ada@x.example","n":1}', "pk": "1", "subject": "1"},
        {"id": "subject", "key": '{"k":"bo@x.example","n":1}', "pk": "2", "subject": "17"},
        {"id": "primary key", "key": '{"k":"bo@x.example","n":2}', "pk": "17", "subject": "3"},
        {"id": "nobody", "key": '{"k":"bo@x.example","n":17}', "pk": "4", "subject": "4"},
    ]

    found = session.fetch(listed_records(held(session, (), *rows), mapping, ("pk",), columns, lists))

    assert sorted(row["id"] for row in found) == ["key", "primary key", "subject"]
