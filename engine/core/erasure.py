"""Who is to be forgotten, as a ledger may know it: keyed HMACs of subjects, compared set by set.

A tombstone is HMAC-SHA256 of a subject's text. The database makes it out of two plain hashes, so that no row enters
Python; the key is handed in as the two blocks that HMAC puts before what it hashes.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

import ibis
from ibis.expr.types import BinaryValue, StringValue, Table

from engine.core.canonical import key_text, text
from engine.core.relations import union

_BLOCK_BYTES = 64
_FINGERPRINT_LENGTH = 16


@ibis.udf.scalar.builtin(name="sha256")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _sha256(value: bytes) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


@ibis.udf.scalar.builtin(name="unhex")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _unhex(value: str) -> bytes:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


@ibis.udf.scalar.builtin(name="encode")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _encode(value: str) -> bytes:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


@ibis.udf.scalar.builtin(name="||")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _joined(first: bytes, second: bytes) -> bytes:  # type: ignore[empty-body]  # the body is the database's
    """The database's own operator."""


@dataclass(frozen=True, slots=True)
class ErasureKey:
    """What tombstones are made with; never shown. ``id`` recognises it again and gives nothing of it away."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return hmac.new(self.secret, b"tidegate erasure key", hashlib.sha256).hexdigest()[:_FINGERPRINT_LENGTH]

    def tombstone(self, subject: str) -> str:
        """Of one subject."""
        return hmac.new(self.secret, subject.encode(), hashlib.sha256).hexdigest()

    def signature(self, content: bytes) -> str:
        """Of a report; under a key of its own, so that no text of a report is a tombstone."""
        signing = hmac.new(self.secret, b"tidegate erasure report", hashlib.sha256).digest()
        return hmac.new(signing, content, hashlib.sha256).hexdigest()

    def of(self, subject: StringValue) -> StringValue:
        """The tombstones of a column of subjects."""
        return _sha256(_joined(self._pad(0x5C), _unhex(_sha256(_joined(self._pad(0x36), _encode(subject))))))

    def _pad(self, byte: int) -> BinaryValue:
        secret = hashlib.sha256(self.secret).digest() if len(self.secret) > _BLOCK_BYTES else self.secret
        block = bytes(value ^ byte for value in secret.ljust(_BLOCK_BYTES, b"\0"))
        return _unhex(ibis.literal(block.hex()))


def tombstoned(subjects: Table, tombstones: Table, key: ErasureKey) -> Table:
    """Which of some distinct texts ``subject`` have a ``tombstone``."""
    named = subjects.filter(subjects.subject.notnull())
    marked = named.select("subject", tombstone=key.of(named.subject))
    return marked.semi_join(tombstones, "tombstone").select("subject")


def subjects_of(rows: Table, columns: Sequence[str]) -> Table:
    """Each text that stands in one of the subject columns of ``rows``, once."""
    return union(*(rows.select(subject=text(rows[column])) for column in columns), distinct=True)


def rows_about(rows: Table, columns: Sequence[str], subjects: Table) -> Table:
    """The rows with one of ``subjects.subject`` in a subject column."""
    found = [text(rows[column]).isin(subjects.subject) for column in columns]
    return rows.filter(ibis.or_(*found).fill_null(False)) if found else rows.limit(0)


def keys_about(rows: Table, columns: Sequence[str], key: Sequence[str], subjects: Table) -> Table:
    """``pk``, once, of the rows with one of ``subjects.subject`` in a subject column."""
    about = rows_about(rows, columns, subjects)
    return about.select(pk=key_text([about[c] for c in key])).distinct()
