"""Named points where tests make the process crash, stall or raise.

A point does nothing until it is armed, and it can be armed only when ``TIDEGATE_TEST_FAILPOINTS`` is present in the
environment at the first hit: ``NAME=ACTION[:ARGUMENT][@HIT]``, separated by ``;``. Actions: ``kill`` (SIGKILL to
this process), ``stop`` (SIGSTOP to it), ``exit:CODE``, ``raise[:MESSAGE]``, ``sleep:SECONDS``, ``touch:PATH`` (tell a
test that the point was reached). ``@HIT`` arms only the n-th pass, counted from 1. A production process never sets the
variable, so a point costs one dictionary look-up.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "TIDEGATE_TEST_FAILPOINTS"

NAMES = frozenset(
    {
        "segment.before_rename",
        "segment.after_rename",
        "capture.before_commit",
        "capture.after_commit",
        "plan.before_commit",
        "plan.after_commit",
        "window.before_intent",
        "window.after_intent",
        "batch.before_send",
        "batch.after_send",
        "job.after_submit",
        "window.before_receipt",
        "window.after_receipt",
        "anchor.before_write",
        "fold.before_commit",
        "fold.after_commit",
        "lease.after_acquire",
        "lease.before_renew",
        "migrate.step",
    }
)
"""Points that a run passes, or the first use of a ledger."""
FORGET_NAMES = frozenset(
    {
        "forget.before_commit",
        "forget.after_commit",
        "mark.before_commit",
        "mark.after_commit",
        "removals.after_plan",
        "erase.before_commit",
        "erase.after_commit",
        "report.before_commit",
    }
)
"""Points that forgetting somebody passes."""
REVIEW_NAMES = frozenset({"hold.before_commit", "hold.after_commit", "review.before_commit", "review.after_commit"})
"""Points that a version passes which is held, and then decided about."""
STORAGE_NAMES = frozenset(
    {
        "collect.before_commit",
        "collect.after_commit",
        "retain.before_commit",
        "retain.after_commit",
        "drop.before_commit",
        "drop.after_commit",
        "merge.before_commit",
        "merge.after_commit",
    }
)
"""Points that are passed when files are removed."""
EVERY_NAME = NAMES | FORGET_NAMES | REVIEW_NAMES | STORAGE_NAMES


class FailpointRaised(RuntimeError):
    """The error that the ``raise`` action throws."""


@dataclass(slots=True)
class _Armed:
    action: str
    argument: str
    hit: int | None
    passed: int = 0


@dataclass(slots=True)
class _Points:
    armed: dict[str, _Armed] = field(default_factory=dict)


def _parse(text: str) -> _Points:
    points = _Points()
    for item in filter(None, (part.strip() for part in text.split(";"))):
        name, _, rest = item.partition("=")
        rest, _, hit = rest.partition("@")
        action, _, argument = rest.partition(":")
        if name not in EVERY_NAME:
            raise ValueError(f"unknown failpoint {name!r}; known: {', '.join(sorted(EVERY_NAME))}")
        points.armed[name] = _Armed(action, argument, int(hit) if hit else None)
    return points


_points = _parse(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Do what was armed for ``name``; nothing when nothing was."""
    armed = _points.armed.get(name)
    if armed is None:
        return
    armed.passed += 1
    if armed.hit is not None and armed.passed != armed.hit:
        return
    if armed.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif armed.action == "stop":
        signal.raise_signal(signal.SIGSTOP)
    elif armed.action == "exit":
        os._exit(int(armed.argument or 1))
    elif armed.action == "sleep":
        time.sleep(float(armed.argument))
    elif armed.action == "touch":
        Path(armed.argument).touch()
    elif armed.action == "raise":
        raise FailpointRaised(armed.argument or name)
    else:
        raise ValueError(f"unknown failpoint action {armed.action!r}")
