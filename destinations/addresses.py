"""Which hosts are this machine: what leaves for them cannot be read on the way, so it needs no https."""

from __future__ import annotations

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
