"""The adapter of Braze holds what the kit demands, whatever finds a user and also where Braze counts less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from destinations.base import Spec
from destinations.testing.braze import GROUP, LABEL, BrazeFake, TestBraze

__all__ = ["TestBraze", "TestByAddress", "TestByAlias"]


class AliasFake(BrazeFake):
    match = "alias_name"


class TestByAlias(TestBraze):
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({**TestBraze.config, "alias_label": LABEL, "sends": "all"})
    fake = AliasFake
    match = "alias_name"


class SilentFake(BrazeFake):
    """Users by their address, in an instance that does not count, as during maintenance."""

    match = "email"

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.counts = False


class TestByAddress(TestBraze):
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({**TestBraze.config, "channels": [], "groups": [GROUP]})
    fake = SilentFake
    match = "email"
    keys: ClassVar[Sequence[str]] = ("ada@example.com", "a+b@example.com", "0012@example.com", "zoë@example.com")
