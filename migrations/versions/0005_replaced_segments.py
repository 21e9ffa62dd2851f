"""Which segments were written again without somebody who was forgotten. Runs before the new code.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replaced_segment",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("erased", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["erased"], ["event.seq"], name="fk_replaced_segment_erased"),
        sa.PrimaryKeyConstraint("path", name="pk_replaced_segment"),
    )


def downgrade() -> None:
    op.drop_table("replaced_segment")
