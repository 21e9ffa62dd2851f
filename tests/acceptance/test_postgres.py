"""PostgreSQL in all three places at once: as ledger, as source and as destination, against a real server."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.projects import TestProject


@pytest.fixture
def database(postgres_database: str) -> str:
    """The database's address as libpq reads it."""
    return postgres_database.replace("+psycopg", "")


@pytest.fixture
def project(tmp_path: Path, postgres_database: str, database: str) -> TestProject:
    made = TestProject(tmp_path, "http://127.0.0.1:9/", ledger=postgres_database)
    made.write(
        "tidegate.yaml",
        {
            "name": "test",
            "environment": "production",
            "environments": {"production": {"ledger": "${env:TEST_LEDGER}", "storage": ".tidegate/segments"}},
            "connections": {"marts": {"type": "postgres", "url": "${env:TEST_MARTS}"}},
        },
    )
    source = {"connection": "marts", "table": "mart.people"}
    made.write(
        "datasets/people.yaml", {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": source}
    )
    made.write(
        "destinations/hook.yaml",
        {"name": "hook", "type": "sql", "config": {"url": "${env:TEST_LEDGER}", "schema": "crm"}},
    )
    made.sync("people_to_hook", match={"id": "id"})
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS mart CASCADE; DROP SCHEMA IF EXISTS crm CASCADE")
        connection.execute("CREATE SCHEMA mart; CREATE SCHEMA crm")
        connection.execute("CREATE TABLE mart.people (id bigint PRIMARY KEY, name text, score float8)")
        connection.execute("CREATE TABLE crm.contacts (id bigint PRIMARY KEY, name text, score float8, note text)")
    return made


def contacts(database: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT id, name, score, note FROM crm.contacts ORDER BY id").fetchall()


@pytest.mark.slow
def test_rows_go_from_postgres_to_postgres_with_the_ledger_in_postgres(
    project: TestProject, database: str, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_LEDGER", postgres_database)
    monkeypatch.setenv("TEST_MARTS", database)
    refused = project.run("run", "people_to_hook")
    assert refused.code == 2
    assert "tidegate db upgrade" in refused.err
    assert project.run("db", "upgrade").code == 0

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO mart.people VALUES (1, 'Ada', 1.5), (2, 'Bo', NULL), (3, NULL, 0.1)")
        connection.execute("INSERT INTO crm.contacts VALUES (77, 'not ours', 1, 'keep')")
    first = project.report()
    assert (first["status"], first["delivered"]["inserts"]) == ("succeeded", 3), first

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE crm.contacts SET note = 'theirs' WHERE id = 1")
        connection.execute("UPDATE mart.people SET name = 'Ada L.' WHERE id = 1")
        connection.execute("DELETE FROM mart.people WHERE id = 3")
    second = project.report()
    assert second["delivered"] == {"inserts": 0, "updates": 1, "deletes": 1}, second
    assert contacts(database) == [
        (1, "Ada L.", 1.5, "theirs"),
        (2, "Bo", None, None),
        (77, "not ours", 1.0, "keep"),
    ]
    assert project.report()["status"] == "unchanged"
    assert project.run("ledger", "verify").code == 0
    assert project.run("ledger", "rebuild").code == 0
    assert project.report()["status"] == "unchanged"


def test_no_password_of_ledger_or_source_is_shown_when_they_cannot_be_reached(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_LEDGER", "postgresql+psycopg://app:planted-secret@127.0.0.1:9/none")
    monkeypatch.setenv("TEST_MARTS", "postgresql://app:planted-secret@127.0.0.1:9/none")
    for arguments in (["run", "people_to_hook"], ["--json", "status"], ["--debug", "plan", "people_to_hook"]):
        outcome = project.run(*arguments)
        assert outcome.code == 1
        assert "planted-secret" not in outcome.out + outcome.err
