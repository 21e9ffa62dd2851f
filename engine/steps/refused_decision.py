"""What to say to somebody who may not decide; that they tried stands in the ledger."""

from __future__ import annotations

from engine.core.approval import Refused
from engine.errors import ConfigurationError


def may_not(actor: str, refused: Refused) -> ConfigurationError:
    """The error of a decision that counts for nothing."""
    return ConfigurationError(
        f"{actor} may not do that: {refused.why}",
        where="`approvers` and `approval` in tidegate.yaml",
        safe="Nothing was changed, and that somebody tried is recorded.",
        next="ask one of the approvers who did not ask for this; `tidegate approvals` says who did",
    )
