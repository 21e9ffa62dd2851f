"""Checks of adapters that read back: what is there is told exactly, and looking leaves everything as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from destinations.base import Batch, Destination, Op, ReadBack, Transport, Value
from destinations.testing.samples import Kind, rows
from destinations.testing.suite import Records, Stage, Suite
from engine.delivery.rehearsal import ask


class Readings(Suite):
    """What is found."""

    def test_what_was_delivered_is_found_as_it_was_sent(self, stage: Stage, kind: Kind) -> None:
        """No value differs from what it became on its way (I31)."""
        if kind not in self.fields:
            pytest.skip(f"no field of the object holds a {kind.value}")
        stage.made_with(Destination.read_back)
        values = (*self.samples[kind], None)
        records: dict[str, dict[Kind, Value]] = {f"s{n}@example.com": {kind: value} for n, value in enumerate(values)}
        stage.assert_delivered(records, stage.deliver(records))

        assert self._found(stage, records) == {id: {} for id in records}

    def test_what_differs_is_found_and_what_is_not_there_is_not(self, stage: Stage) -> None:
        """Of three records one is as it was sent, one was changed and one is gone; a fourth is a stranger's (I31)."""
        stage.made_with(Destination.read_back)
        same, changed, gone = "same@example.com", "changed@example.com", "gone@example.com"
        kind = next(kind for kind in self.fields if len(self.samples[kind]) > 1)
        one, other = self.samples[kind][:2]
        records: dict[str, dict[Kind, Value]] = {same: {kind: one}, changed: {kind: one}}
        stage.assert_delivered(records, stage.deliver(records))
        there: dict[str, dict[Kind, Value]] = {changed: {kind: other}, "theirs@example.com": {kind: one}}
        stage.assert_delivered({**records, **there}, stage.deliver(there, plan="plan-2"))

        found = self._found(stage, {**records, gone: {kind: one}})

        assert {id: set(differing) for id, differing in found.items()} == {same: set(), changed: {self.fields[kind]}}

    def test_reading_back_changes_nothing(self, stage: Stage) -> None:
        stage.made_with(Destination.read_back)
        records = stage.people(2)
        stage.assert_delivered(records, stage.deliver(records))
        before = {id: dict(fields) for id, fields in stage.fake.held().items()}

        self._found(stage, {id: stage.one("another") for id in ("nobody@example.com", *records)})

        assert stage.fake.held() == before
        assert stage.fake.complaints == []

    def _found(self, stage: Stage, records: Records) -> dict[str, Mapping[str, Any]]:
        adapter = stage.made()
        named = {id: {self.fields[kind]: value for kind, value in fields.items()} for id, fields in records.items()}
        wanted = rows(Op.UPSERT, self.match, named).drop_columns(["op"])
        batch = Batch(
            sync="rehearsal",
            object=self.object,
            op=Op.UPSERT,
            run="",
            plan="",
            number=0,
            first=0,
            idempotency_key="",
            rows=wanted,
            plan_records=wanted.num_rows,
        )

        async def read(transport: Transport) -> object:
            return await adapter.read_back(batch, transport)

        told = ask(adapter, stage.line(), read)
        assert isinstance(told, ReadBack), told
        found = {one.id: one.differing for one in told.found}
        assert len(found) == len(told.found), "a record is named twice"
        return found
