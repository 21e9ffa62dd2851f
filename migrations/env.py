"""How Alembic reaches the ledger: the connection that `engine.ledger.migrate` hands over, or TIDEGATE_LEDGER."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from engine.failpoints import failpoint
from engine.ledger.database import open_database
from engine.ledger.migrate import migrating
from engine.ledger.tables import metadata


def run(connection: Connection) -> None:
    """Migrate inside the transaction that ``connection`` is in: a step that dies leaves nothing behind."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transactional_ddl=True,
        on_version_apply=lambda **_: failpoint("migrate.step"),
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Use the connection handed over; at the command line, open the ledger that the environment names."""
    if context.is_offline_mode():
        raise SystemExit("The ledger is migrated online: leave out --sql.")
    handed_over: Connection | None = context.config.attributes.get("connection")
    if handed_over is not None:
        run(handed_over)
        return
    url = os.environ.get("TIDEGATE_LEDGER")
    if not url:
        raise SystemExit("TIDEGATE_LEDGER is not set. Next: name the ledger, as in sqlite:///.tidegate/ledger.db")
    engine = open_database(url)
    try:
        with migrating(engine) as connection:
            run(connection)
    finally:
        engine.dispose()


main()
