"""What a sync asks of people before it sends anything about them, and what becomes of those who take it back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

REMOVING = ("delete", "unsubscribe")
"""Operations that tell a destination nothing of a person but the key, and so may be about anybody, consenting or suppressed."""


class Policy(StrEnum):
    """Whether consent to one of several purposes is enough."""

    ANY = "any"
    ALL = "all"


class OnWithdrawal(StrEnum):
    """What becomes of a record that is held when its subject does not consent any more."""

    DELETE = "delete"
    UNSUBSCRIBE = "unsubscribe"
    """The destination keeps the record and is told that nothing may be sent to its person."""
    IGNORE = "ignore"
    """The destination is told nothing and keeps what it has; nothing more is sent of it."""


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """Rows whose ``subject`` column names nobody who consents to ``purposes`` are not part of desired state.

    ``channel`` is how people are reached by what is sent; None when the sync does not say, and then any might be used.
    """

    purposes: tuple[str, ...]
    subject: str
    policy: Policy = Policy.ALL
    channel: str | None = None
    on_withdrawal: OnWithdrawal = OnWithdrawal.DELETE

    @property
    def purposes_needed(self) -> int:
        """To how many of the purposes somebody must consent."""
        return len(self.purposes) if self.policy is Policy.ALL else 1

    def __str__(self) -> str:
        asked = f" {'and' if self.policy is Policy.ALL else 'or'} ".join(self.purposes)
        return f"{asked} by {self.channel}" if self.channel else asked
