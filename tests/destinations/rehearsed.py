"""What a rehearsed delivery to a fake came to."""

from __future__ import annotations

from engine.delivery.rehearsal import Rehearsal


def said(ended: Rehearsal) -> dict[str, tuple[str, str, str]]:
    """What became of the records that were not delivered, with code and words."""
    return {id: (one.outcome, one.code, one.message) for id, one in ended.others.items()}
