"""How it went lately, and sums over the whole log, for metrics and alerts. Runs before the new code.

`tidegate db upgrade` folds the log into the new tables.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "course",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("good", sa.BigInteger(), nullable=True),
        sa.Column("bad", sa.BigInteger(), nullable=True),
        sa.Column("aside", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["good"], ["event.seq"], name="fk_course_good"),
        sa.ForeignKeyConstraint(["bad"], ["event.seq"], name="fk_course_bad"),
        sa.PrimaryKeyConstraint("subject", name="pk_course"),
    )
    op.create_table(
        "tally",
        sa.Column("counted", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("counted", "subject", "detail", name="pk_tally"),
    )


def downgrade() -> None:
    op.drop_table("tally")
    op.drop_table("course")
