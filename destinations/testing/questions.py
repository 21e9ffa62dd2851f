"""Checks of what an adapter answers to a person: whether the destination works, and which fields it has."""

from __future__ import annotations

import pytest

from destinations.base import CheckFailed, Destination, Transport
from destinations.testing.faults import EXPIRED, LOSSES, Fault
from destinations.testing.suite import Stage, Suite
from engine.delivery.rehearsal import ask


class Questions(Suite):
    """What is answered."""

    def test_a_check_of_a_healthy_destination_says_so_and_changes_nothing(self, stage: Stage) -> None:
        """I29."""
        adapter = stage.made_with(Destination.check)
        stage.fake.put("kept@example.com", {})
        before = {id: dict(fields) for id, fields in stage.fake.held().items()}

        said = ask(adapter, stage.line(), adapter.check)

        assert said.strip()
        assert stage.fake.held() == before
        assert stage.fake.complaints == []

    @pytest.mark.parametrize("closed", [EXPIRED, *LOSSES], ids=lambda closed: closed.name)
    def test_a_check_says_what_is_wrong(self, stage: Stage, closed: Fault) -> None:
        adapter = stage.made_with(Destination.check)
        stage.api.trouble(closed, always=True)

        with pytest.raises(CheckFailed) as failed:
            ask(adapter, stage.line(), adapter.check)

        assert str(failed.value).strip()

    def test_the_fields_of_the_object_are_named(self, stage: Stage) -> None:
        adapter = stage.made_with(Destination.fields)

        async def discovered(transport: Transport) -> set[str]:
            return {field.name for field in await adapter.fields(self.object, transport)}

        assert set(self.fields.values()) <= ask(adapter, stage.line(), discovered)
