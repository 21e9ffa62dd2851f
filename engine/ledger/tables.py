"""The only column definitions: the log, the leases and the read models, one schema for SQLite and PostgreSQL.

A read model holds what its queries select by, and sums; every other fact stays in the event that its row names, so
that nothing is stored twice. Moments are text on both databases, because both then order, compare and hash them
alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect

from engine.errors import LedgerTampered

MOMENT_LENGTH = 27


def moment_text(moment: datetime) -> str:
    """``2026-01-02T03:04:05.000006Z``: always UTC, always microseconds, so that text order is time order."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class Moment(TypeDecorator[datetime]):
    """An aware UTC ``datetime`` in Python, `moment_text` in the database."""

    impl = String(MOMENT_LENGTH)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else moment_text(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (TypeError, ValueError) as error:
            raise LedgerTampered(
                "A moment in the ledger cannot be read.",
                safe="Nothing was sent.",
                next="`tidegate ledger verify` says what is damaged; restore the ledger from a backup",
            ) from error


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

event = Table(
    "event",
    metadata,
    # SQLite gives only a column of type INTEGER its own numbers.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), Identity(always=True), primary_key=True),
    Column("stream", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("stream", "position"),
    sqlite_autoincrement=True,  # the number of a removed event is never given again
)
"""The log. Triggers of the migration refuse every change of a row."""

stream_head = Table(
    "stream_head",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The newest event of each stream: serialises its writers, and shows that events at the end were removed."""

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("acquired_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("released", Boolean, nullable=False),
)
"""A row is never deleted, so that epochs only grow."""

rate_budget = Table(
    "rate_budget",
    metadata,
    Column("name", Text, primary_key=True),
    Column("free_at", Double, nullable=False),
    Column("held_until", Double, nullable=False),
    Column("learned", Double, nullable=True),
    Column("ceiling", Double, nullable=True),
    Column("learned_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("opened", Integer, nullable=False),
    Column("probe_at", Double, nullable=False),
    Column("probing_until", Double, nullable=False),
    Column("day_used", Double, nullable=False, server_default="0"),
    Column("day_ends", Double, nullable=False, server_default="0"),
)
"""One row per account and unit: pace, circuit and the day's use, in seconds since 1970 of the database's clock. Not a
read model: it says nothing that happened, only how soon the next call may leave, and an absent row stands for an idle
account."""

call_share = Table(
    "call_share",
    metadata,
    Column("account", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("granted", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("joined_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)
"""How many calls at once each run may have under way of an account whose concurrency is declared, in seconds of the
same clock. A row that has expired stands for nothing."""


def _event_key(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, ForeignKey("event.seq"), nullable=nullable)


version = Table(
    "version",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _event_key("accepted"),
)

capture = Table(
    "capture",
    metadata,
    Column("dataset", Text, primary_key=True),
    _event_key("checked"),
)

run = Table(
    "run",
    metadata,
    Column("run", Text, primary_key=True),
    Column("sync", Text, nullable=False),
    _event_key("started"),
    _event_key("planned", nullable=True),
    _event_key("finished", nullable=True),
    Column("delivered_inserts", BigInteger, nullable=False),
    Column("delivered_updates", BigInteger, nullable=False),
    Column("delivered_deletes", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("unknown", BigInteger, nullable=False),
    Column("withheld_late", BigInteger, nullable=False, server_default="0"),
    Column("requests", BigInteger, nullable=False),
    Column("bytes_sent", BigInteger, nullable=False),
    Index(None, "sync", "started"),
)

run_window = Table(
    "run_window",
    metadata,
    Column("run", Text, primary_key=True),
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    _event_key("intended"),
    _event_key("received", nullable=True),
)

sync_state = Table(
    "sync_state",
    metadata,
    Column("sync", Text, primary_key=True),
    _event_key("folded"),
)

replaced_segment = Table(
    "replaced_segment",
    metadata,
    Column("path", Text, primary_key=True),
    _event_key("erased"),
)

course = Table(
    "course",
    metadata,
    Column("subject", Text, primary_key=True),
    _event_key("good", nullable=True),
    _event_key("bad", nullable=True),
    Column("aside", Text, nullable=True),
)
"""How it went lately with what a stream is about, a dataset or a sync: the newest event that says that all was well, and
the first of all those since then that say otherwise. ``aside`` is the newest run of a sync that looks at some records only."""

tally = Table(
    "tally",
    metadata,
    Column("counted", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("detail", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),
)
"""Sums over the whole log, for metrics: of what, of which dataset or sync, and of which kind. Whole numbers, because their
sum is the same in any order."""

run_end = Table(
    "run_end",
    metadata,
    Column("sync", Text, primary_key=True),
    Column("ended", BigInteger, ForeignKey("event.seq"), primary_key=True, autoincrement=False),
    _event_key("started"),
    Column("ended_at", Moment, nullable=False),
    Column("is_level", Boolean, nullable=False),
    Column("is_failure", Boolean, nullable=False),
    Index(None, "sync", "ended_at"),
)
"""How each run ended, for objectives, which ask about all runs of some days at each look."""

alert = Table(
    "alert",
    metadata,
    Column("alert", Text, primary_key=True),
    _event_key("opened"),
    _event_key("closed", nullable=True),
)
"""The newest time that each alert opened, and whether it closed since."""

alert_told = Table(
    "alert_told",
    metadata,
    Column("opening", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", Text, primary_key=True),
    Column("opened", Boolean, nullable=False),
    Column("closed", Boolean, nullable=False),
    _event_key("failed", nullable=True),
    Column("failures", Integer, nullable=False),
)
"""What a channel was told of the alert that opened at a position of its stream. ``failed`` is the newest message that it
did not take, ``failures`` counts those since one that it did."""

PROJECTED = (replaced_segment, version, capture, run, run_window, sync_state, course, tally, run_end, alert, alert_told)
"""Tables that `engine.ledger.projection` empties and folds again."""
