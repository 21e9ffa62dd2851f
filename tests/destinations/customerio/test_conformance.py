"""The adapter of Customer.io holds what the kit demands, whatever finds a person and whatever a deletion is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from destinations.testing.customerio import CustomerIoFake, TestCustomerIo

__all__ = ["TestByAddress", "TestCustomerIo"]


class AddressFake(CustomerIoFake):
    match = "email"


class TestByAddress(TestCustomerIo):
    config: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {**TestCustomerIo.config, "deletes": "suppress", "clears_with": "null"}
    )
    fake = AddressFake
    match = "email"
    keys: ClassVar[Sequence[str]] = ("ada@example.com", "a+b@example.com", "0012@example.com", "zoë@example.com")
