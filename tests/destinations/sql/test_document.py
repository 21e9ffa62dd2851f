"""The page about SQL tables is true: its statements and files run, and its tables say what the adapter does."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from destinations.sql.adapter import SqlConfig, SqlTable
from destinations.sql.marker import KEPT_DAYS, TABLE
from destinations.sql.postgres import LOCK_SECONDS_MAX, STATEMENT_SECONDS_MAX
from destinations.sql.refusals import Refusal
from tests.cli.door import tidegate
from tests.destinations.page import files_of, page_of, project_of

PAGE = page_of("sql")
SYNC = "customers_to_database"


@pytest.mark.slow
def test_the_sync_of_the_page_delivers_everybody_who_consents_and_then_has_nothing_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, postgres_database: str
) -> None:
    """The role has what the page gives it, and nothing more."""
    url = postgres_database.replace("+psycopg", "")
    monkeypatch.setenv("CRM_DATABASE", url.replace("postgres:@", "tidegate@"))
    project = project_of(PAGE, tmp_path / "shop", capsys)
    assert set(files_of(PAGE)) == {"destinations/crm_database.yaml", f"syncs/{SYNC}.yaml"}
    with psycopg.connect(url, autocommit=True) as connection:
        for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL):
            connection.execute(block.encode())
        try:
            valid = tidegate(capsys, "validate", "--connect", "--project", str(project))
            assert valid.code == 0, valid.out
            (first,) = tidegate(capsys, "run", SYNC, "--project", str(project), "--json").document
            (second,) = tidegate(capsys, "run", SYNC, "--project", str(project), "--json").document
            held = connection.execute("SELECT count(*) FROM crm.contacts WHERE deleted_at IS NULL").fetchone()
            marked = connection.execute(f"SELECT sum(last_row - first_row + 1) FROM crm.{TABLE}").fetchone()
        finally:
            connection.execute("DROP OWNED BY tidegate CASCADE")
            connection.execute("DROP ROLE tidegate")

    assert first["status"] == "succeeded"
    assert held is not None
    assert marked is not None
    assert first["delivered"]["inserts"] == held[0] == marked[0] > 500
    assert second["status"] == "unchanged"


def test_the_page_names_every_key_of_the_config_and_every_code() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    keys = {field.alias or name for name, field in SqlConfig.model_fields.items()}

    assert {*keys, *Refusal, "no_table", "no_column", "no_unique_key", "no_marker", "not_found"} <= named


def test_the_limits_of_the_page_are_those_of_the_adapter() -> None:
    limits = SqlTable.spec.limits

    assert (limits.records, limits.bytes, limits.concurrency) == (10_000, 16_000_000, 2)
    assert "Ten thousand rows and 16 MB a transaction, two transactions at once" in PAGE
    assert (LOCK_SECONDS_MAX, STATEMENT_SECONDS_MAX, KEPT_DAYS) == (5, 60, 7)
    assert "five seconds for a lock and a statement takes a minute" in PAGE
    assert "a week old" in PAGE
