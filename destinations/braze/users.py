"""How users are named and written for Braze, and which records it would cut or take for something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from destinations.base import Batch, Op, Record, Rejected, Value
from destinations.json_body import json_body, key_text

EXTERNAL_ID, BRAZE_ID, ALIAS, EMAIL = "external_id", "braze_id", "alias_name", "email"
IDENTIFIERS = (EXTERNAL_ID, BRAZE_ID, ALIAS, EMAIL)
"""The fields that find a user; any of them may be the match key."""
STATES = frozenset({"opted_in", "subscribed", "unsubscribed"})
SUBSCRIPTIONS = frozenset({"email_subscribe", "push_subscribe"})
"""The global states of a user; each is one of `STATES`."""

_LISTS = {EXTERNAL_ID: "external_ids", BRAZE_ID: "braze_ids", ALIAS: "user_aliases", EMAIL: "email_addresses"}
_WHICH = ("identified", "most_recently_updated")
"""Whose profile is deleted where several have an address: the one that a write by the address would change."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator decides of how users are written."""

    alias_label: str
    sends: Literal["changed", "all"]
    text_length_max: int
    unsubscribed: Mapping[str, Value]
    """The attributes of somebody to whom nothing is sent any more."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The records of a batch that may be sent, in their order, and those that are rejected before."""

    sent: tuple[Record, ...]
    rejected: tuple[Rejected, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that a complaint may be about."""
        return frozenset[str]().union(*(record.fields for record in self.sent), *(record.key for record in self.sent))


def sort_out(batch: Batch, rules: Rules) -> Sorted:
    """Braze cuts or drops some values without a word, so they are told here."""
    wrong = {record.id: found for record in batch.records if (found := _objection(record, rules)) is not None}
    return Sorted(tuple(record for record in batch.records if record.id not in wrong), tuple(wrong.values()))


def tracked(op: Op, records: Sequence[Record], rules: Rules) -> bytes:
    """The body of a call that writes attributes; the order of the records is that of the answer's indices."""
    return json_body({"attributes": [_attributes(op, record, rules) for record in records]})


def deleted(records: Sequence[Record], rules: Rules) -> bytes:
    """The body of a call that deletes users: one list, named after what finds them."""
    ((name, _),) = records[0].key.items()
    return json_body({_LISTS[name]: [_deletion(record, rules) for record in records]})


def _attributes(op: Op, record: Record, rules: Rules) -> Mapping[str, Value]:
    """A null removes an attribute. Without the flag a user who is not there is made, but for an alias."""
    written = rules.unsubscribed if op is Op.UNSUBSCRIBE else _sent(record, rules)
    return {**_identifier(record, rules), "_update_existing_only": op is not Op.UPSERT, **written}


def _sent(record: Record, rules: Rules) -> Mapping[str, Value]:
    """Only what changed, since each attribute may cost a data point; all of a record in which nothing did."""
    changed = {name: value for name, value in record.fields.items() if name in record.changed}
    return changed if changed and rules.sends == "changed" else record.fields


def _identifier(record: Record, rules: Rules) -> Mapping[str, Value]:
    ((name, value),) = record.key.items()
    if name == ALIAS:
        return {"user_alias": {ALIAS: key_text(value), "alias_label": rules.alias_label}}
    return {name: key_text(value)}


def _deletion(record: Record, rules: Rules) -> Value:
    ((name, value),) = record.key.items()
    if name == ALIAS:
        return _identifier(record, rules)["user_alias"]
    return {EMAIL: key_text(value), "prioritization": _WHICH} if name == EMAIL else key_text(value)


def _objection(record: Record, rules: Rules) -> Rejected | None:
    for name, value in record.fields.items():
        if isinstance(value, str) and len(value) > rules.text_length_max:
            limit = f"{rules.text_length_max:,}"
            words = f"`{name}` is longer than the {limit} characters that Braze keeps: shorten it at the source"
            return Rejected(record.id, "too_long", words)
        if name in SUBSCRIPTIONS and value not in STATES:
            listed = ", ".join(sorted(STATES))
            words = f"`{name}` is none of {listed}: correct it at the source, or write `on_null: skip` where it is null"
            return Rejected(record.id, "invalid_state", words)
    return None
