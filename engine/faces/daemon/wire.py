"""What the daemon and its nursery say to each other: one JSON object a message, over a pair of sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from engine.service.schedules import Scheduled

Message: TypeAlias = Mapping[str, Any]
"""Decoded JSON, whose one or two keys tell what it is about."""
MESSAGE_BYTES_MAX = 100_000
REASON_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may go on at once in one daemon, and how long; seconds and bytes."""

    concurrency: int
    per_destination: int
    per_connection: int
    memory: int
    longest_run_seconds: float
    drain_seconds: float


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends that keep messages whole and in order."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(end: socket.socket, message: Message) -> bool:
    """Send one message; false when nobody is at the other end any more."""
    try:
        end.send(json.dumps(message).encode())
    except OSError:
        return False
    return True


def receive(end: socket.socket) -> Message | None:
    """The next message, waiting for it as the socket does; None at the end. Raises `BlockingIOError`."""
    try:
        return read(end.recv(MESSAGE_BYTES_MAX))
    except ConnectionError:
        return None


def read(data: bytes) -> Message | None:
    """A message from what was received; None for the end."""
    if not data:
        return None
    message: Message = json.loads(data)
    return message


def told(scheduled: Scheduled) -> Message:
    """A scheduled sync as a message."""
    return {"scheduled": asdict(scheduled)}


def heard(message: Message) -> Scheduled:
    """The scheduled sync that `told` told."""
    said = dict(message["scheduled"])
    return Scheduled(**{**said, "connections": tuple(said["connections"])})
