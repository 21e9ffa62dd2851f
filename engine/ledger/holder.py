"""Who holds a lease, named so that another process of the same machine can see whether the holder still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from engine.clock import Entropy

_PROC = Path("/proc")
_START_TIME_FIELD = 19
"""Place of the start time in ``/proc/PID/stat`` after the parenthesised name (proc(5), field 22)."""


def holder_name(entropy: Entropy) -> str:
    """``host:pid:mark:token``; the mark tells apart processes that had the same pid, and pids of other containers."""
    return f"{socket.gethostname()}:{os.getpid()}:{_mark(os.getpid())}:{entropy.token(4)}"


def is_dead(holder: str) -> bool:
    """Whether the holder was a process that this one could see and cannot see any more; when in doubt, false."""
    host, _, rest = holder.rpartition(":")[0].partition(":")
    pid, _, mark = rest.partition(":")
    namespace = mark.partition("-")[0]
    if host != socket.gethostname() or not pid.isdigit() or namespace in {"", "0"} or namespace != _namespace():
        return False
    return _mark(int(pid)) != mark


def _mark(pid: int) -> str:
    """The pid namespace and the start time of a process; the latter empty when there is none."""
    return f"{_namespace()}-{_start_time(pid)}"


def _namespace() -> str:
    try:
        return str((_PROC / "self" / "ns" / "pid").stat().st_ino)
    except OSError:
        return "0"


def _start_time(pid: int) -> str:
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[_START_TIME_FIELD]
