"""The adapter of HubSpot holds what the kit demands, also where HubSpot answers otherwise than its docs show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from destinations.base import Op, Spec
from destinations.hubspot.adapter import HubSpot
from destinations.testing.hubspot import HubSpotFake, TestHubSpot
from destinations.testing.issuer import IssuesTokens
from destinations.testing.samples import KEYS

__all__ = ["TestCompanies", "TestHubSpot", "TestWithOAuth"]
REFRESH_TOKEN = "a-refresh-token-of-the-suite"


class Companies(HubSpot):
    """Nobody can unsubscribe a company."""

    spec = replace(HubSpot.spec, operations=HubSpot.spec.operations - {Op.UNSUBSCRIBE})


class PlainCompaniesFake(HubSpotFake):
    """Companies by a property of their own; no trace id comes back, and one bad record stops an upsert."""

    match = "crm_key"

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.tells_each = self.repeats_trace_ids = False


class TestCompanies(TestHubSpot):
    adapter = Companies
    fake = PlainCompaniesFake
    object = "companies"
    match = "crm_key"
    keys: Sequence[str] = KEYS


class OAuthFake(IssuesTokens, HubSpotFake):
    """HubSpot for an app, whose refresh token lies in a file."""

    token = ""

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.issuer.refresh_token = REFRESH_TOKEN
        self._file = folder / "refresh-token"
        self._file.write_text(REFRESH_TOKEN)
        self._file.chmod(0o600)

    def config(self) -> dict[str, object]:
        client = {"client_id": "app", "client_secret": "a-client-secret", "proof": "body"}
        return {"login": {**client, "token_url": self.token_url, "refresh_token_file": str(self._file)}}


class TestWithOAuth(TestHubSpot):
    fake = OAuthFake
