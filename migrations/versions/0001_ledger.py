"""The log, its leases and its read models. Runs before the new code.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = (
    """CREATE TRIGGER event_refuses_update BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER event_refuses_delete BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    # INSERT OR REPLACE removes the older row without firing the trigger for DELETE.
    """CREATE TRIGGER event_refuses_replace BEFORE INSERT ON event
    WHEN EXISTS (SELECT 1 FROM event WHERE seq = NEW.seq OR (stream = NEW.stream AND position = NEW.position))
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
)

POSTGRESQL_TRIGGERS = (
    """CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER event_refuses_change BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION event_is_append_only()""",
    """CREATE TRIGGER event_refuses_truncate BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only()""",
)


def upgrade() -> None:
    _create_log()
    _create_read_models()
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in POSTGRESQL_TRIGGERS if postgresql else SQLITE_TRIGGERS:
        op.execute(sa.text(statement))


def downgrade() -> None:
    """A ledger is not taken apart; restore a backup instead."""
    raise NotImplementedError("the first migration has no way back: restore a backup")


def _create_log() -> None:
    op.create_table(
        "event",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=True), primary_key=True
        ),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("schema", sa.Integer(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.String(27), nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("stream", "position"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "stream_head",
        sa.Column("stream", sa.Text(), primary_key=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("acquired_at", sa.String(27), nullable=False),
        sa.Column("expires_at", sa.String(27), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
    )


def _create_read_models() -> None:
    op.create_table(
        "version",
        sa.Column("dataset", sa.Text(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("accepted", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=False),
    )
    op.create_table(
        "capture",
        sa.Column("dataset", sa.Text(), primary_key=True),
        sa.Column("checked", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("started", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=False),
        sa.Column("planned", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=True),
        sa.Column("finished", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=True),
        sa.Column("delivered_inserts", sa.BigInteger(), nullable=False),
        sa.Column("delivered_updates", sa.BigInteger(), nullable=False),
        sa.Column("delivered_deletes", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("bytes_sent", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_run_sync_started"), "run", ["sync", "started"])
    op.create_table(
        "run_window",
        sa.Column("run", sa.Text(), primary_key=True),
        sa.Column("window", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("intended", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=False),
        sa.Column("received", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=True),
    )
    op.create_table(
        "sync_state",
        sa.Column("sync", sa.Text(), primary_key=True),
        sa.Column("folded", sa.BigInteger(), sa.ForeignKey("event.seq"), nullable=False),
    )
