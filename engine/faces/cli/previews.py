"""The options of commands that show before they act, and the exit code of what they show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from engine.core.outcome import EXIT_CODES, RunStatus

SAMPLES_MAX = 100
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def yes_option(command: _Decorated) -> _Decorated:
    """``--yes``: act, and do not only show."""
    return click.option("--yes", is_flag=True, help="Do it. Without, it is only shown what would be done.")(command)


def samples_option(
    says: str = "Records to show per kind of change.", *, default: int = 3
) -> Callable[[_Decorated], _Decorated]:
    """``--samples N``: how many examples are shown of each kind."""
    return click.option("--samples", type=click.IntRange(0, SAMPLES_MAX), default=default, show_default=True, help=says)


def preview_code(*, blocked: bool) -> int:
    """The exit code of a look at what a gate would block, or would not."""
    return EXIT_CODES[RunStatus.BLOCKED] if blocked else 0
