"""APIs that are described in the documents hold what the kit demands, as adapters in Python do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from destinations.base import Value
from destinations.testing import customerio
from destinations.testing.conformance import Conformance
from destinations.testing.http_api import ACME, TestDescribed, described
from destinations.testing.samples import Kind
from tests.destinations.http_api.described import config_of
from tests.destinations.http_api.fakes import (
    ITERABLE_KEY,
    ONESIGNAL_KEY,
    BulkFake,
    IterableFake,
    OneSignalFake,
)

__all__ = ["TestBulk", "TestCustomerIo", "TestDescribed", "TestIterable", "TestOneSignal"]


class TestBulk(Conformance):
    """Acme with jobs."""

    config: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {
            **ACME,
            "jobs": {
                "id": "data.job",
                "ask": {"method": "GET", "path": ["jobs", "$job"]},
                "state": "state",
                "running": ["queued"],
                "ended": ["done"],
                "failed": ["broken"],
            },
        }
    )
    adapter = described(config)
    fake = BulkFake


class TestIterable(Conformance):
    config: ClassVar[Mapping[str, Any]] = config_of("iterable", ITERABLE_KEY=ITERABLE_KEY)
    adapter = described(config)
    fake = IterableFake
    object = "users"
    match = "userId"


class TestOneSignal(Conformance):
    config: ClassVar[Mapping[str, Any]] = config_of("onesignal", ONESIGNAL_KEY=ONESIGNAL_KEY)
    adapter = described(config)
    fake = OneSignalFake
    object = "users"
    match = "external_id"
    fields: ClassVar[Mapping[Kind, str]] = MappingProxyType({Kind.TEXT: "plan"})

    def stored(self, kind: Kind, value: Value) -> Value:
        """An empty text takes a tag away."""
        return None if value == "" else value


class TestCustomerIo(customerio.TestCustomerIo):
    config: ClassVar[Mapping[str, Any]] = config_of(
        "customerio", CUSTOMERIO_SITE=customerio.SITE, CUSTOMERIO_KEY=customerio.KEY
    )
    adapter = described(config)
