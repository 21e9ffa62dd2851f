"""Checks of what an adapter makes of values, keys and limits: the fake must hold exactly what was sent."""

from __future__ import annotations

import pytest

from destinations.base import Op, Value
from destinations.testing.samples import Kind
from destinations.testing.suite import Stage, Suite

BATCHES_WANTED = 3
RECORDS_TRIED_MAX = 20_000
BYTES_TRIED_MAX = 32_000_000
_WIDE = 'é"\n'
"""Characters that encoders like to make longer than they are."""


class Payloads(Suite):
    """What arrives."""

    def test_values_arrive_as_they_are(self, stage: Stage, kind: Kind) -> None:
        if kind not in self.fields:
            pytest.skip(f"no field of the object holds a {kind.value}")
        records = {f"sample{n}@example.com": {kind: value} for n, value in enumerate(self.samples[kind])}

        stage.assert_delivered(records, stage.deliver(records))

    def test_null_clears_a_field_and_an_absent_field_keeps_its_value(self, stage: Stage) -> None:
        if Op.UPSERT not in stage.spec.operations and Op.UPDATE not in stage.spec.operations:
            pytest.skip("no operation changes a record")
        if len(self.fields) < 2:
            pytest.skip("the object has fewer than two fields")
        (one, cleared), (other, kept) = ((kind, self.samples[kind][0]) for kind in list(self.fields)[:2])
        id = "ada@example.com"
        op = Op.UPSERT if Op.UPSERT in stage.spec.operations else Op.UPDATE

        stage.assert_delivered({id: {one: cleared, other: kept}}, stage.deliver({id: {one: cleared, other: kept}}, op))
        ended = stage.deliver({id: {one: None}}, op, plan="plan-2")

        stage.assert_delivered({id: {one: None, other: kept}}, ended)

    def test_every_key_finds_its_own_record(self, stage: Stage) -> None:
        records = {key: stage.one(f"of {n}") for n, key in enumerate(self.keys)}

        stage.assert_delivered(records, stage.deliver(records))

    def test_each_operation_does_what_its_name_says(self, stage: Stage, op: Op) -> None:
        before, records = {"kept@example.com": stage.one("kept")}, stage.people(3)
        for id, fields in before.items():
            stage.fake.put(id, {self.fields[kind]: value for kind, value in fields.items()})
        names_none = op in {Op.DELETE, Op.UNSUBSCRIBE}
        if names_none:
            for id, fields in records.items():
                stage.fake.put(id, {self.fields[kind]: value for kind, value in fields.items()})

        ended = stage.deliver({id: {} for id in records} if names_none else records, op)

        stage.assert_delivered(before if op is Op.DELETE else {**before, **records}, ended)
        if op is Op.UNSUBSCRIBE:
            assert stage.unsubscribed() == set(records)

    def test_an_unsubscribe_keeps_the_record_until_what_the_spec_names_takes_it_back(self, stage: Stage) -> None:
        """Who is not there has nothing to be unsubscribed from, and gets no record by it."""
        if Op.UNSUBSCRIBE not in stage.spec.operations:
            pytest.skip("the adapter does not unsubscribe")
        records = stage.people(3)
        stage.assert_delivered(records, stage.deliver(records))

        named: dict[str, dict[Kind, Value]] = {id: {} for id in (*records, "nobody@example.com")}
        ended = stage.deliver(named, Op.UNSUBSCRIBE, plan="plan-2")
        stage.assert_delivered(records, ended)
        assert stage.unsubscribed() == set(records)

        back = dict(list(records.items())[:1])
        ended = stage.deliver(back, stage.write if stage.write is not Op.INSERT else Op.UPSERT, plan="plan-3")
        stage.assert_delivered(records, ended)
        assert stage.unsubscribed() == set(records) - (set(back) if stage.spec.resubscribes else set())

    def test_a_call_never_carries_more_records_than_the_limit(self, stage: Stage) -> None:
        if stage.spec.limits.records >= RECORDS_TRIED_MAX:
            pytest.skip(f"the limit of {stage.spec.limits.records:,} records is not tried")
        records = stage.people(stage.spec.limits.records + 1)

        stage.assert_delivered(records, stage.deliver(records))

    def test_a_call_never_carries_more_bytes_than_the_limit(self, stage: Stage) -> None:
        text = self._text_of(stage, stage.api.spec.limits.bytes // 8)
        records = {f"long{n}@example.com": {Kind.TEXT: text} for n in range(8 * BATCHES_WANTED)}

        stage.assert_delivered(records, stage.deliver(records))

    def test_a_record_that_no_call_can_carry_is_rejected_alone(self, stage: Stage) -> None:
        records = stage.people(4)
        bad = "large@example.com"
        too_large = {bad: {Kind.TEXT: self._text_of(stage, stage.api.spec.limits.bytes + 1)}}

        ended = stage.deliver({**too_large, **records})

        stage.assert_all_but(bad, records, ended)

    def _text_of(self, stage: Stage, size: int) -> str:
        """A text of about ``size`` bytes where that is to be tried."""
        if Kind.TEXT not in self.fields:
            pytest.skip("no field of the object holds text")
        if size > BYTES_TRIED_MAX:
            pytest.skip(f"the limit of {stage.spec.limits.bytes:,} bytes is not tried")
        return _WIDE * (size // len(_WIDE.encode()) + 1)
