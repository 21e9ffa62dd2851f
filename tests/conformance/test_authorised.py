"""An adapter whose credential is renewed holds everything that the kit demands, in both forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from destinations.testing.example.test_acme import TestAcme as Honest
from tests.conformance.authorised import CLIENT, AcmeWithLogin, AuthorisedFake, RotatingFake


class TestClientCredentials(Honest):
    adapter = AcmeWithLogin
    config: ClassVar[Mapping[str, Any]] = {"login": CLIENT}
    fake = AuthorisedFake


class TestRefreshToken(Honest):
    adapter = AcmeWithLogin
    config: ClassVar[Mapping[str, Any]] = {}
    fake = RotatingFake


del Honest
