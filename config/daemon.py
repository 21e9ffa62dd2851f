"""How much `tidegate daemon` does at once, and how long it waits: the section ``daemon`` of ``tidegate.yaml``."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from config.model import Model
from config.values import Duration, Memory

Overlap: TypeAlias = Literal["skip", "queue", "coalesce"]
"""What becomes of moments at which a sync is due while it runs: left out, a run each, or one run for all of them."""
_Runs = Annotated[int, Field(ge=1, le=256)]


class Daemon(Model):
    """Limits of one daemon process; several daemons share the budgets of accounts, and each has limits of its own."""

    concurrency: _Runs = 4
    per_destination: _Runs = 1
    per_connection: _Runs = 2
    overlap: Overlap = "coalesce"
    memory: Memory | None = None
    """What a run may allocate, in bytes; ``compute.memory`` and 1 GB beside it, when silent."""
    longest_run: Duration = Field(default=timedelta(hours=24), json_schema_extra={"default": "24h"})
    """A run that takes longer is stopped, and goes on with the next one."""
    drain: Duration = Field(default=timedelta(seconds=60), json_schema_extra={"default": "60s"})
    """How long runs may take to reach the end of their window when the daemon is to stop."""
