"""Telling the service manager how the daemon is, as sd_notify(3) describes: datagrams to the socket that it names."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from engine.clock import Clock

ADDRESS = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"


class Notifier:
    """Says nothing where nobody asked to be told."""

    def __init__(self, environment: Mapping[str, str], clock: Clock) -> None:
        self._address = environment.get(ADDRESS, "")
        self._is_watched = environment.get(WATCHDOG, "").isdigit()
        self._clock = clock

    def ready(self, status: str) -> None:
        """Started, or read anew."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The files are read anew; followed by `ready`."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    def stopping(self) -> None:
        """On the way to the end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Not stuck; asked for by ``WatchdogSec=``."""
        if self._is_watched:
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is one of the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as end:
            # A service manager that does not listen is no reason to stop, nor to wait.
            end.setblocking(False)
            with suppress(OSError):
                end.sendto(text.encode(), address)
