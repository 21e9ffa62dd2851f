"""Deliveries to a fake Salesforce, and questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from destinations.base import Op
from destinations.salesforce.adapter import Salesforce, SalesforceConfig
from destinations.testing.salesforce import CLIENT, SalesforceFake
from destinations.testing.samples import rows
from engine.delivery.rehearsal import Line, Rehearsal, ask, rehearse

URL = "https://acme.my.salesforce.com"
Records = Mapping[str, Mapping[str, Any]]


def adapter(**config: Any) -> Salesforce:
    return Salesforce(SalesforceConfig.model_validate({"login": CLIENT, "url": URL, **config}))


def org(folder: Path) -> SalesforceFake:
    """Contacts, by an external id."""
    return SalesforceFake(Salesforce.spec, folder)


def delivered(
    api: httpx.AsyncBaseTransport,
    op: Op,
    records: Records,
    *,
    match: str = "Ext_Key__c",
    attempts: int = 4,
    **config: Any,
) -> Rehearsal:
    """How a delivery of ``records``, by the value of their key, ended."""
    line = Line(api, attempts=attempts)
    return rehearse(adapter(**config), rows(op, match, records), line, object="Contact", plan="p1")


def checked(api: httpx.AsyncBaseTransport, **config: Any) -> str:
    asked = adapter(**config)
    return ask(asked, Line(api), asked.check)
