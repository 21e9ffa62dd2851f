"""Checks that what is secret in an adapter's config shows nowhere but in the headers and bodies of its calls."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from destinations.base import CheckFailed, Destination
from destinations.testing.fake import HttpFake
from destinations.testing.faults import EXPIRED, SPOILINGS
from destinations.testing.suite import Stage, Suite
from engine.delivery.rehearsal import Rehearsal, ask


class Secrecy(Suite):
    """What does not show (I24)."""

    def test_no_secret_shows_in_the_texts_of_objects(self, stage: Stage) -> None:
        secrets, adapter = stage.secrets(), stage.made()

        shown = [repr(adapter), str(adapter), repr(adapter.config), str(adapter.config), f"{adapter.spec}"]

        assert leaks(secrets, shown) == []

    def test_no_secret_shows_in_the_refusal_of_a_config(self, stage: Stage) -> None:
        secrets, config = stage.secrets(), stage.config()
        with pytest.raises(ValidationError) as unknown:
            stage.spec.config.model_validate({**config, "x": 1})
        shown = [str(unknown.value)]

        for name, value in config.items():
            try:
                stage.spec.config.model_validate({**config, name: [[value]]})
            except ValidationError as error:
                shown += [str(error), repr(error)]

        assert leaks(secrets, shown) == []

    def test_no_secret_is_logged_or_said(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        secrets, records = stage.secrets(), stage.people(2)
        caplog.set_level(logging.DEBUG)
        said = [*said_of(stage.deliver(records)), self._checked(stage)]

        for fault in (EXPIRED, SPOILINGS[0]) if isinstance(stage.fake, HttpFake) else ():
            stage.api.trouble(fault, always=True)
            said += [*said_of(stage.deliver(records, line=stage.line(attempts=2))), self._checked(stage)]

        assert leaks(secrets, [*said, caplog.text]) == []

    def test_no_secret_stands_in_an_address(self, stage: Stage) -> None:
        """Addresses are logged by every proxy on the way."""
        secrets = stage.secrets()

        stage.deliver(stage.people(1))
        self._checked(stage)

        assert leaks(secrets, [str(request.url) for request in stage.api.requests]) == []

    def _checked(self, stage: Stage) -> str:
        adapter: Destination = stage.made()
        try:
            return ask(adapter, stage.line(), adapter.check)
        except CheckFailed as error:
            return f"{error} {error!r} {error.__cause__!r}"


def said_of(ended: Rehearsal) -> Iterable[str]:
    """What an adapter had to say of a delivery."""
    yield repr(ended.stop)
    for one in ended.others.values():
        yield f"{one.code} {one.message}"


def leaks(secrets: Iterable[str], shown: Iterable[str]) -> list[str]:
    """Texts in which a secret stands, as it is or as it is written in addresses and headers."""
    spellings = [form for secret in secrets for form in (secret, quote(secret, safe=""), _base64(secret))]
    return [text for text in shown if any(spelling in text for spelling in spellings)]


def _base64(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode().rstrip("=")
