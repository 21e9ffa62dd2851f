"""What a destination's own settings say of where its calls may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from destinations.addresses import LOOPBACK, NetworkConfig
from destinations.base import Destination
from engine.core.reach import Reach

_PORTS = {"http": 80, "https": 443}


def reach(destination: Destination) -> Reach:
    """Where its calls may go; an address of this machine only where it stands in the config, host and port."""
    addresses = (address for _, address in written(destination))
    here = frozenset((host, port) for host, port in map(host_and_port, addresses) if host in LOOPBACK)
    return Reach(private=isinstance(destination.config, NetworkConfig) and destination.config.allow_private, here=here)


def written(destination: Destination) -> Iterator[tuple[tuple[str | int, ...], httpx.URL]]:
    """Each address of an API in a destination's config, and where in it."""
    # As the client reads it, so that what is judged is what is called.
    for path, text in _texts(destination.config.model_dump(), ()):
        if text.startswith(("http://", "https://")):
            try:
                yield path, httpx.URL(text)
            except httpx.InvalidURL:
                continue


def host_and_port(address: httpx.URL) -> tuple[str, int]:
    """Where a call to it goes."""
    return address.host, address.port or _PORTS[address.scheme]


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:  # any config model
    match value:
        case Mapping():
            for name, member in value.items():
                yield from _texts(member, (*path, str(name)))
        case list() | tuple():
            for index, member in enumerate(value):
                yield from _texts(member, (*path, index))
        case _:
            yield path, str(value)
