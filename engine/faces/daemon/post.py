"""What a daemon is given: where it stands, whom it is known as, and what it acts with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from engine.clock import Clock
from engine.faces.daemon.notify import Notifier


@dataclass(frozen=True, slots=True)
class Post:
    """Where a daemon stands: its project, its environment, whom it is known as, and what it acts with."""

    folder: Path
    environment: str | None
    actor: str
    holder: str
    clock: Clock
    notifier: Notifier
    open_ledger: Callable[[str], Engine] = field(repr=False)
