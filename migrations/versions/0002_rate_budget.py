"""The pace and the circuit of each account. Runs before the new code.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_budget",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("free_at", sa.Double(), nullable=False),
        sa.Column("held_until", sa.Double(), nullable=False),
        sa.Column("learned", sa.Double(), nullable=True),
        sa.Column("ceiling", sa.Double(), nullable=True),
        sa.Column("learned_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("probe_at", sa.Double(), nullable=False),
        sa.Column("probing_until", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("rate_budget")
