"""What each account used of its day, and who makes how many calls at once. Runs before the new code.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("day_used", "day_ends"):
        op.add_column("rate_budget", sa.Column(name, sa.Double(), nullable=False, server_default="0"))
    op.create_table(
        "call_share",
        sa.Column("account", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("joined_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("call_share")
    for name in ("day_used", "day_ends"):
        op.drop_column("rate_budget", name)
