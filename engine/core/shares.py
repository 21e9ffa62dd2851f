"""How many calls at once each run may have under way, so that all of them together have no more than are declared.

A run asks for a share again and again, and says what it has under way, which it does not exceed while it asks. Shares that
are granted never sum up to more than there are. Who has more than a fair share starts no new call until it has not; who
has less gets what others do not want. Times are seconds of one clock that all sharers read: the database's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

HOLD_SECONDS = 10.0
"""How long a share lasts unless its holder asks again: what a host that died keeps from the others."""
TURN_SECONDS = 20.0
"""How often those change who have one more than others, or one where others have none."""


@dataclass(frozen=True, slots=True)
class Share:
    """``granted`` calls at once of the ``wanted`` ones, until ``expires_at``; older holders come first in line."""

    holder: str
    granted: int
    wanted: int
    joined_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A holder has ``in_flight`` calls under way and wants ``wanted`` at once."""

    holder: str
    wanted: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Answer:
    """``shares`` as they are from now on, and the ``limit`` up to which the one who asked may start calls."""

    shares: tuple[Share, ...]
    limit: int


def answer(shares: Sequence[Share], ask: Ask, slots: int, now: float) -> Answer:
    """What becomes of ``shares`` of ``slots`` calls when one holder asks."""
    alive = [_seen(share, now) for share in shares if share.expires_at > now]
    others = [share for share in alive if share.holder != ask.holder]
    joined_at = next((share.joined_at for share in alive if share.holder == ask.holder), now)
    asking = Share(ask.holder, ask.in_flight, ask.wanted, joined_at, now + HOLD_SECONDS)
    fair = _fair((*others, asking), slots, now)
    kept = sum(max(share.granted, min(share.wanted, fair.get(share.holder, 0))) for share in others)
    target = min(ask.wanted, max(fair.get(ask.holder, 0), slots - kept))
    granted = max(ask.in_flight, min(target, slots - sum(share.granted for share in others)))
    return Answer((*others, replace(asking, granted=granted)), min(granted, target))


def _seen(share: Share, now: float) -> Share:
    """The share as of now; where the clock was set back, its times are not in a far future."""
    return replace(share, joined_at=min(share.joined_at, now), expires_at=min(share.expires_at, now + HOLD_SECONDS))


def _fair(shares: Sequence[Share], slots: int, now: float) -> dict[str, int]:
    """An equal share for each who wants calls; what does not divide goes to some, and to others at the next turn."""
    line = sorted((share for share in shares if share.wanted), key=lambda share: (share.joined_at, share.holder))
    if not line:
        return {}
    least, more = divmod(slots, len(line))
    first = int(now // TURN_SECONDS) * more % len(line)
    turned = (*line[first:], *line[:first])
    return {share.holder: least + (place < more) for place, share in enumerate(turned)}
