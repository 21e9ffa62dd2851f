from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from engine.core.names import dataset_stream
from engine.errors import SchemaMismatch
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import check_schema, migrating, migrations_folder, schema_revision, upgrade
from engine.ledger.projection import snapshot
from engine.ledger.tables import metadata
from tests.ledger.facts import (
    CUSTOMERS,
    STREAM,
    StillClock,
    accepted,
    finished,
    held,
    intended,
    planned,
    received,
    started,
)

ROOT = Path(__file__).parents[2]
UPGRADE = """
import sys
from engine.ledger.database import open_database
from engine.ledger.migrate import upgrade
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
upgrade(engine)
engine.dispose()
"""


@pytest.fixture
def empty(ledger_url: str) -> Iterator[Engine]:
    opened = open_database(ledger_url)
    yield opened
    opened.dispose()


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_migrated_schema_is_the_one_that_the_code_defines(empty: Engine) -> None:
    upgrade(empty)
    with empty.connect() as connection:
        # SQLite numbers rows without a default, so there is none to compare.
        options = {"compare_type": True, "compare_server_default": connection.dialect.name == "postgresql"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_a_second_upgrade_finds_nothing_to_do(empty: Engine) -> None:
    assert schema_revision(empty) is None
    upgrade(empty)
    first = schema_revision(empty)
    upgrade(empty)
    assert schema_revision(empty) == first is not None
    check_schema(empty)


def test_a_ledger_without_a_schema_says_how_to_get_one(empty: Engine) -> None:
    with pytest.raises(SchemaMismatch, match=r"no schema yet.*Next: tidegate db upgrade") as caught:
        check_schema(empty)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("act", [check_schema, upgrade])
def test_a_newer_ledger_is_left_alone(empty: Engine, act: object) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match=r"\(9999\) is newer than this code.*upgrade Tidegate"):
        act(empty)


def test_an_older_ledger_says_how_to_bring_it_up(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade(empty)
    head = schema_revision(empty)
    monkeypatch.setattr("engine.ledger.migrate._known", lambda _: ["9999", head])
    with pytest.raises(SchemaMismatch, match=rf"older \({head}\) than this code's \(9999\).*tidegate db upgrade"):
        check_schema(empty)


def test_a_ledger_from_before_a_read_model_has_it_after_the_upgrade(empty: Engine) -> None:
    upgrade(empty)
    ledger = Ledger(empty, StillClock(), "tester")
    ledger.append(dataset_stream(CUSTOMERS), accepted(), held())
    ledger.append(STREAM, started(), planned(), intended(0), received(0), finished())
    grown = snapshot(empty)
    with migrating(empty) as connection:
        config = Config()
        config.set_main_option("script_location", str(migrations_folder()))
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")

    upgrade(empty)

    assert snapshot(empty) == grown
    assert grown["tally"]


@pytest.mark.slow
def test_two_processes_may_upgrade_at_once(empty: Engine, ledger_url: str) -> None:
    # Each dwells in its transaction, so that the other arrives while it is open.
    both = [process("-c", UPGRADE, ledger_url, TIDEGATE_TEST_FAILPOINTS="migrate.step=sleep:0.5") for _ in range(2)]
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    ends = [each.communicate(timeout=60) for each in both]
    assert [each.returncode for each in both] == [0, 0], ends
    check_schema(empty)


def test_an_upgrade_that_is_killed_half_way_leaves_nothing_and_can_be_repeated(empty: Engine, ledger_url: str) -> None:
    killed = process("-c", UPGRADE, ledger_url, TIDEGATE_TEST_FAILPOINTS="migrate.step=kill")
    killed.communicate("go\n", timeout=60)
    assert killed.returncode == -9
    assert inspect(empty).get_table_names() == []
    upgrade(empty)
    check_schema(empty)


def test_the_command_line_of_alembic_works_for_authors_of_migrations(empty: Engine, ledger_url: str) -> None:
    done = process("-m", "alembic", "upgrade", "head", TIDEGATE_LEDGER=ledger_url)
    output = done.communicate(timeout=60)
    assert done.returncode == 0, output
    check_schema(empty)


def test_an_installed_package_uses_the_migrations_it_carries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundled = tmp_path / "engine" / "_bundled" / "migrations"
    bundled.mkdir(parents=True)
    (bundled / "env.py").touch()
    monkeypatch.setattr("engine.ledger.migrate.package.__file__", str(tmp_path / "engine" / "__init__.py"))
    assert migrations_folder() == bundled
