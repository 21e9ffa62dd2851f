"""Deliveries to a fake Braze, and questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from destinations.base import Op
from destinations.braze.adapter import Braze, BrazeConfig
from destinations.testing.braze import KEY, BrazeFake
from destinations.testing.samples import rows
from engine.delivery.rehearsal import Line, Rehearsal, ask, rehearse

Records = Mapping[str, Mapping[str, Any]]
URL = "https://rest.fra-01.braze.eu"


def adapter(**config: Any) -> Braze:
    return Braze(BrazeConfig.model_validate({"login": {"token": KEY}, "url": URL, **config}))


def workspace(folder: Path) -> BrazeFake:
    """Users, by their external id."""
    return BrazeFake(Braze.spec, folder)


def delivered(
    api: httpx.AsyncBaseTransport,
    op: Op,
    records: Records,
    *,
    match: str = "external_id",
    attempts: int = 4,
    **config: Any,
) -> Rehearsal:
    """How a delivery of ``records``, by the value of their key, ended."""
    batch = rows(op, match, records)
    return rehearse(adapter(**config), batch, Line(api, attempts=attempts), object="users", plan="p1")


def checked(api: httpx.AsyncBaseTransport, **config: Any) -> str:
    asked = adapter(**config)
    return ask(asked, Line(api), asked.check)
