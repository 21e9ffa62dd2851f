"""Deliveries to a fake HubSpot, and questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from destinations.base import Op
from destinations.hubspot.adapter import HubSpot, HubSpotConfig
from destinations.testing.hubspot import TOKEN, HubSpotFake
from destinations.testing.samples import rows
from engine.delivery.rehearsal import Line, Rehearsal, ask, rehearse

Records = Mapping[str, Mapping[str, Any]]


def adapter(**config: Any) -> HubSpot:
    return HubSpot(HubSpotConfig.model_validate({"login": {"token": TOKEN}, **config}))


def account(folder: Path) -> HubSpotFake:
    """Contacts, by their address."""
    return HubSpotFake(HubSpot.spec, folder)


def delivered(
    api: httpx.AsyncBaseTransport,
    op: Op,
    records: Records,
    *,
    object: str = "contacts",
    match: str = "email",
    attempts: int = 4,
    **config: Any,
) -> Rehearsal:
    """How a delivery of ``records``, by the value of their key, ended."""
    batch = rows(op, match, records)
    return rehearse(adapter(**config), batch, Line(api, attempts=attempts), object=object, plan="p1")


def checked(api: httpx.AsyncBaseTransport, **config: Any) -> str:
    asked = adapter(**config)
    return ask(asked, Line(api), asked.check)
