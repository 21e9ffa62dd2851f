"""The one tree of errors.

A class says what the caller should *do*; an instance says what happened, where, what stays safe and what to
do next. Faces render these five parts as one paragraph and turn ``exit_code`` into the process's own.
"""

from __future__ import annotations

from typing import ClassVar


class TidegateError(Exception):
    """Base of every error that a person may see.

    ``what`` is one sentence without personal data or secrets; ``where`` names a file and line, a sync, a
    version or a record by its id's digest; ``safe`` says which state did not change; ``next`` is a command or
    an action.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", safe: str = "", next: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.safe = safe
        self.next = next

    def __str__(self) -> str:
        parts = [self.what if self.what.endswith((".", "!", "?")) else f"{self.what}."]
        if self.where:
            parts.append(f"Where: {self.where}.")
        if self.safe:
            parts.append(self.safe)
        if self.next:
            parts.append(f"Next: {self.next}")
        return " ".join(parts)


class ConfigurationError(TidegateError):
    """A person must change a file, a flag or the environment; nothing was started."""

    code = "configuration"
    exit_code = 2


class ContractRefused(ConfigurationError):
    """Nothing may be read under a contract: it is retired, say, or takes back what it promised and stays in its major."""

    code = "contract_refused"


class SourceError(TidegateError):
    """The source could not be read whole; the run ends and the earlier version stays current."""

    code = "source"


class StorageError(TidegateError):
    """A segment could not be written or read."""

    code = "storage"


class SegmentDamaged(StorageError):
    """A segment is missing or its bytes are not those the ledger names; nothing may be sent from it."""

    code = "segment_damaged"


class ErasureKeyMissing(StorageError):
    """The key of the tombstones is lost or another one, so nobody knows who must not be sent; send nothing."""

    code = "erasure_key"


class LedgerError(TidegateError):
    """The ledger could not be read or written."""

    code = "ledger"


class LedgerConflict(LedgerError):
    """Somebody appended to the stream first; reload the facts and decide again."""

    code = "ledger_conflict"


class FactsMoved(LedgerConflict):
    """What a decision rests on changed before it was written; reload the facts and decide again."""

    code = "facts_moved"


class LedgerTampered(LedgerError):
    """The hash chain does not hold; stop and restore."""

    code = "ledger_tampered"


class LedgerRegressed(LedgerError):
    """The ledger lacks an event that once stood in it; stop, and restore the newer ledger or accept the loss."""

    code = "ledger_regressed"


class SchemaMismatch(LedgerError):
    """The ledger's schema is older or newer than this code; migrate or upgrade."""

    code = "ledger_schema"
    exit_code = 2


class StaleEpoch(LedgerError):
    """Another process took the lease; this one must stop at once and write nothing more."""

    code = "stale_epoch"


class Busy(TidegateError):
    """Another run holds the lease; try again later."""

    code = "busy"
    exit_code = 6


class DestinationError(TidegateError):
    """The destination refuses in a way that another attempt cannot mend; the run stops."""

    code = "destination"


class Interrupted(TidegateError):
    """The operator asked to stop; state is kept and the next run resumes."""

    code = "interrupted"
    exit_code = 130
