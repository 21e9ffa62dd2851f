"""Deliveries to a fake Customer.io, and questions to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from destinations.base import Op
from destinations.customerio.adapter import CustomerIo, CustomerIoConfig
from destinations.testing.customerio import KEY, SITE, CustomerIoFake
from destinations.testing.samples import rows
from engine.delivery.rehearsal import Line, Rehearsal, ask, rehearse

LOGIN = {"username": SITE, "password": KEY}


def adapter(**config: Any) -> CustomerIo:
    return CustomerIo(CustomerIoConfig.model_validate({"login": LOGIN, "region": "eu", **config}))


def workspace(folder: Path) -> CustomerIoFake:
    """People in the region eu, by their id."""
    return CustomerIoFake(CustomerIo.spec, folder)


def delivered(
    api: httpx.AsyncBaseTransport, op: Op, records: Mapping[str, Mapping[str, Any]], **config: Any
) -> Rehearsal:
    """How a delivery of ``records``, by their id, ended."""
    return rehearse(adapter(**config), rows(op, "id", records), Line(api), object="people", plan="p1")


def checked(api: httpx.AsyncBaseTransport, **config: Any) -> str:
    asked = adapter(**config)
    return ask(asked, Line(api), asked.check)
