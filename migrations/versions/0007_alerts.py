"""Which alerts are open, who was told, and how each run ended. Runs before the new code.

`tidegate db upgrade` folds the log into the new tables.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_end",
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("ended", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.String(27), nullable=False),
        sa.Column("is_level", sa.Boolean(), nullable=False),
        sa.Column("is_failure", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ended"], ["event.seq"], name="fk_run_end_ended"),
        sa.ForeignKeyConstraint(["started"], ["event.seq"], name="fk_run_end_started"),
        sa.PrimaryKeyConstraint("sync", "ended", name="pk_run_end"),
    )
    op.create_index("ix_run_end_sync_ended_at", "run_end", ["sync", "ended_at"])
    op.create_table(
        "alert",
        sa.Column("alert", sa.Text(), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["opened"], ["event.seq"], name="fk_alert_opened"),
        sa.ForeignKeyConstraint(["closed"], ["event.seq"], name="fk_alert_closed"),
        sa.PrimaryKeyConstraint("alert", name="pk_alert"),
    )
    op.create_table(
        "alert_told",
        sa.Column("opening", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("opened", sa.Boolean(), nullable=False),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["failed"], ["event.seq"], name="fk_alert_told_failed"),
        sa.PrimaryKeyConstraint("opening", "channel", name="pk_alert_told"),
    )


def downgrade() -> None:
    op.drop_table("alert_told")
    op.drop_table("alert")
    op.drop_table("run_end")
