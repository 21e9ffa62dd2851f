"""The delivery marker: a batch has its effect once, however often and in whatever parts it comes (promise 2, I5, N10)."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from destinations.base import AllDelivered, Batch, Op, Outcomes, Refused, Stop
from destinations.sql import marker
from tests.destinations.batches import batch
from tests.destinations.sql.places import NoHttp, Place, on_every_write

DYING = str(Path(__file__).parent / "dying.py")


def upsert(numbers: Iterable[int], first: int = 0, run: str = "run-1", op: Op = Op.UPSERT) -> Batch:
    return batch(op, {n: {"name": f"n{n}"} for n in numbers}, run=run, first=first)


def touch(place: Place) -> None:
    """Make every effect that comes from now on visible."""
    place.execute("UPDATE contacts SET name = 'touched'")


def effects(place: Place) -> set[int]:
    return {row[0] for row in place.execute("SELECT id FROM contacts WHERE name <> 'touched'")}


def count_effects(place: Place) -> None:
    """Let the table ``seen`` hold a row for every row that is written."""
    place.execute("CREATE TABLE seen (id bigint)")
    on_every_write(place, sqlite="INSERT INTO seen VALUES (new.id)", postgres="INSERT INTO crm.seen VALUES (new.id)")


@pytest.mark.parametrize("op", [Op.UPSERT, Op.DELETE])
def test_a_batch_that_comes_again_has_no_second_effect(place: Place, op: Op) -> None:
    one = batch(op, {n: {"name": "ours"} if op is Op.UPSERT else {} for n in range(3)})
    place.send(one)
    place.execute("DELETE FROM contacts")
    place.execute("INSERT INTO contacts (id, name) VALUES (1, 'of somebody else')")

    assert place.send(one) == [AllDelivered()]

    assert place.rows("id, name") == [(1, "of somebody else")]


def test_the_same_rows_of_another_run_are_applied(place: Place) -> None:
    """A ledger that begins anew counts the same rows again: they must not pass for those of the old one."""
    place.send(upsert(range(3)))
    place.execute("DELETE FROM contacts")

    assert place.send(upsert(range(3), run="run-2")) == [AllDelivered()]

    assert effects(place) == {0, 1, 2}


def test_a_trigger_counts_every_record_once(place: Place) -> None:
    if place.kind == "duckdb":
        pytest.skip("DuckDB has no triggers")
    count_effects(place)

    for part in (upsert(range(10)), upsert(range(5)), upsert(range(5, 10), first=5), upsert(range(10))):
        assert place.send(part) == [AllDelivered()]

    assert place.execute("SELECT id, count(*) FROM seen GROUP BY id ORDER BY id") == [(n, 1) for n in range(10)]


def test_parts_of_a_batch_that_was_applied_whole_have_no_effect(place: Place) -> None:
    """It was halved, or somebody in it took consent back since: the parts leave under other keys."""
    place.send(upsert(range(10)))
    touch(place)

    assert place.send(upsert([0, 1, 2]), upsert([4, 5], first=4), upsert([9], first=9)) == [AllDelivered()] * 3

    assert effects(place) == set()


def test_of_a_batch_that_was_applied_in_parts_only_the_rest_has_an_effect(place: Place) -> None:
    place.send(upsert([1, 2], first=1), upsert([5], first=5))
    touch(place)

    assert place.send(upsert(range(8))) == [AllDelivered()]
    assert effects(place) == {0, 3, 4, 6, 7}
    touch(place)
    assert place.send(upsert(range(8)), upsert(range(6, 10), first=6)) == [AllDelivered()] * 2

    assert effects(place) == {8, 9}


def test_a_batch_that_was_refused_leaves_no_marker(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, email) VALUES (50, 'a@x.test')")
    one = batch(Op.UPSERT, {1: {"email": "b@x.test"}, 2: {"email": "a@x.test"}}, run="run-1")
    (reply,) = place.send(one)
    assert isinstance(reply, Refused)
    place.execute("DELETE FROM contacts")

    assert place.send(one) == [AllDelivered()]

    assert place.rows("id, email") == [(1, "b@x.test"), (2, "a@x.test")]


def test_rows_whose_marker_cannot_be_written_do_not_stay(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marker, "notes", lambda *_: [("SELECT nothing FROM nowhere", ())])

    (reply,) = place.send(upsert(range(3)))

    assert isinstance(reply, Stop)
    assert place.rows() == []


def test_a_record_that_an_update_did_not_find_is_looked_for_again(place: Place) -> None:
    place.execute("INSERT INTO contacts (id, name) VALUES (1, 'old'), (3, 'old')")
    one = upsert([1, 2, 3], op=Op.UPDATE)
    (before,) = place.send(one)
    touch(place)
    (again,) = place.send(one)
    place.execute("INSERT INTO contacts (id, name) VALUES (2, 'touched')")

    assert isinstance(before, Outcomes)
    assert before == again
    assert place.send(one) == [AllDelivered()]
    assert effects(place) == {2}


@pytest.mark.crash
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_process_that_dies_around_the_commit_applies_its_batch_once(place: Place, moment: str) -> None:
    """Nobody hears how it ended; the next process sends the same batch."""
    command = [sys.executable, DYING, place.kind, place.url, moment, json.dumps(list(range(5)))]
    assert subprocess.run(command, check=False).returncode == 7
    assert len(place.rows()) == (5 if moment == "after the commit" else 0)
    touch(place)

    assert place.send(upsert(range(5))) == [AllDelivered()]

    assert effects(place) == (set() if moment == "after the commit" else set(range(5)))


def test_of_two_processes_at_the_same_rows_the_second_sees_what_the_first_did(place: Place) -> None:
    """I7: one that was replaced may still be at it, with the whole batch where its successor has a part."""
    if place.kind != "postgres":
        pytest.skip("the database has one writer at a time")
    count_effects(place)
    place.send(upsert([99], run="run-0"))

    async def both() -> list[object]:
        one, other = place.adapter(), place.adapter()
        with psycopg.connect(place.url) as third:
            third.execute("LOCK TABLE crm.contacts IN SHARE MODE")
            sends = [asyncio.create_task(one.send(upsert(range(10)), NoHttp()))]
            await waiting_for_locks(place, 1)
            sends.append(asyncio.create_task(other.send(upsert(range(5, 10), first=5), NoHttp())))
            await waiting_for_locks(place, 2)
        replies = await asyncio.gather(*sends)
        await one.close()
        await other.close()
        return list(replies)

    assert asyncio.run(both()) == [AllDelivered()] * 2
    assert place.execute("SELECT max(n) FROM (SELECT count(*) AS n FROM seen GROUP BY id) AS c") == [(1,)]


async def waiting_for_locks(place: Place, count: int) -> None:
    waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
    while (await asyncio.to_thread(place.execute, waiting))[0][0] < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the database tells nobody that somebody waits


def test_markers_are_kept_while_their_rows_may_come_again(place: Place) -> None:
    """Those of the run that is on, however old, those of other syncs, and those of the last week."""
    place.send(upsert([1], run="old"), upsert([2], run="recent"), upsert([3], run="current", first=7))
    place.execute(f"UPDATE {marker.TABLE} SET applied_at = '2020-01-01' WHERE run <> 'recent'")
    columns = "(sync, run, first_row, last_row, applied_at)"
    place.execute(f"INSERT INTO {marker.TABLE} {columns} VALUES ('another', 'old', 0, 0, '2020-01-01')")

    place.send(upsert([4], run="current"))

    kept = place.execute(f"SELECT sync, run, first_row FROM {marker.TABLE} ORDER BY sync, run, first_row")
    ours = "people_to_hook"
    assert kept == [("another", "old", 0), (ours, "current", 0), (ours, "current", 7), (ours, "recent", 0)]


def test_a_role_that_may_not_make_the_table_of_markers_is_told_what_to_have_made(place: Place) -> None:
    if place.kind != "postgres":
        pytest.skip("a file has no roles")
    place.execute("DROP ROLE IF EXISTS writer")
    place.execute("CREATE ROLE writer LOGIN")
    place.execute("GRANT USAGE ON SCHEMA crm TO writer")
    place.execute("GRANT ALL ON contacts TO writer")
    server = urlsplit(place.url)
    theirs = replace(place, url=server._replace(netloc=f"writer@{server.netloc.rpartition('@')[2]}").geturl())

    (refused,) = theirs.send(upsert([1]))
    assert isinstance(refused, Stop)
    statement = refused.message.rpartition("have it made: ")[2]
    place.execute(statement)
    place.execute(f"GRANT SELECT, INSERT, DELETE ON {marker.TABLE} TO writer")

    assert theirs.send(upsert([1])) == [AllDelivered()]
    place.execute("DROP OWNED BY writer")
    place.execute("DROP ROLE writer")
