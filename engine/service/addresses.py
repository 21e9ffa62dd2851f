"""Addresses in the files of destinations that no call may go to: found before one is made."""

from __future__ import annotations

from collections.abc import Iterator

from destinations.base import Destination
from engine.contracts.finding import Finding
from engine.core.reach import literal
from engine.delivery.reach import host_and_port, reach, written


def address_findings(destination: Destination) -> Iterator[Finding]:
    """A finding for each address that is written as a number; where a name leads is seen when it is called."""
    bounds = reach(destination)
    for path, address in written(destination):
        host, port = host_and_port(address)
        found = literal(host)
        if found is not None and (why := bounds.refusal(host, port, (found,))):
            message, _, way_out = why.partition("; ")
            yield Finding("address_refused", message, way_out, ("config", *map(str, path)))
