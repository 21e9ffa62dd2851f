"""The option with which somebody says why: it is kept for ever in the ledger, so it names nobody."""

from __future__ import annotations

from collections.abc import Callable

import click

from engine.core.reason import check_reason, naming

KEPT = "Why, without saying who; kept in the ledger with who decided."


def reason_option(
    flag: str = "--reason", *, required: bool = False, says: str = KEPT
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """``--reason TEXT`` or an option like it; what it refuses is refused before anything is opened."""

    def judged(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if required and not value.strip():
            raise click.BadParameter("say why: it is all that whoever reads the ledger later has")
        check_reason(value, naming(()), where=flag, safe="Nothing was changed.")
        return value

    if required:
        return click.option(flag, required=True, metavar="TEXT", callback=judged, help=says)
    return click.option(flag, default="", metavar="TEXT", callback=judged, help=says)
