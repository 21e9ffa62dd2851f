"""The adapter of Salesforce holds what the kit demands; a client that signs in place of sending a secret is authorised too."""

from __future__ import annotations

from collections.abc import Mapping

from destinations.testing.authorisation import Authorisation
from destinations.testing.issuer import IssuesTokens
from destinations.testing.salesforce import SalesforceFake, TestSalesforce
from destinations.testing.salesforce_bulk import TestSalesforceJobs
from tests.destinations.keys import pem_of, rsa_key

__all__ = ["TestSalesforce", "TestSalesforceJobs", "TestWithAKeyPair"]


class KeyPairFake(SalesforceFake):
    def config(self) -> Mapping[str, object]:
        client = {"client_id": "app", "user": "sync@acme.example", "audience": "https://login.salesforce.com"}
        return {"login": {**client, "token_url": IssuesTokens.token_url, "private_key": pem_of(rsa_key())}}


class TestWithAKeyPair(Authorisation):
    adapter = TestSalesforce.adapter
    config = TestSalesforce.config
    fake = KeyPairFake
    object = TestSalesforce.object
    match = TestSalesforce.match
    fields = TestSalesforce.fields
    samples = TestSalesforce.samples
