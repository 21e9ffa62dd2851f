"""Nothing is sent to people in a suppression list, whatever consent says, and what was sent before is removed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.projects import CONTRACT, TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
MARK = "marked"
PEOPLE = {
    1: ("Marked.One@gmail.com", "+1 650 555 1212"),
    2: ("marked-two@example.com", "0044 20 7946 0018"),
    3: ("marked-three@example.com", None),
    4: (None, "+1 650 555 9999"),
}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(autouse=True)
def reachable(project: TestProject) -> None:
    """People with an address and a number; the sync asks nobody, for lists hold for it as well."""
    id, name, _ = CONTRACT["schema"][0]["properties"]
    columns = [id, {**name, "name": "email"}, {**name, "name": "phone"}]
    project.write("contracts/people-v1.odcs.yaml", {**CONTRACT, "schema": [{"name": "people", "properties": columns}]})
    dataset(project, {"id": "id", "email": "email", "phone": "phone"})
    project.sync(SYNC, mode="upsert", fields={"email": "email", "phone": "phone"})
    reached(project, PEOPLE)


def dataset(project: TestProject, identifiers: Any) -> None:
    project.write(
        "datasets/people.yaml",
        {
            "name": "people",
            "contract": "contracts/people-v1.odcs.yaml",
            "source": {"connection": "lake", "table": "people.parquet"},
            "identifiers": identifiers,
        },
    )


def reached(project: TestProject, people: dict[int, tuple[str | None, str | None]]) -> None:
    project.data(
        pa.table(
            {
                "id": pa.array(list(people), pa.int64()),
                "email": pa.array([email for email, _ in people.values()], pa.string()),
                "phone": pa.array([phone for _, phone in people.values()], pa.string()),
            }
        )
    )


def values(project: TestProject, kind: str, *written: str, name: str = "list.csv") -> Path:
    path = project.folder / name
    path.write_text("\n".join([kind, *written]) + "\n", encoding="utf-8")
    return path


def suppress(project: TestProject, kind: str, *written: str, column: str = "", more: tuple[str, ...] = ()) -> Any:
    file = values(project, column or kind, *written)
    ended = project.run("--json", "suppress", "import", str(file), "--kind", kind, *more)
    assert ended.code == 0, ended.err
    return ended.json


def sent(receiver: Receiver) -> set[str]:
    return set(receiver.records)


@pytest.mark.slow
def test_who_is_in_a_list_is_not_sent_and_who_was_sent_is_removed(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    assert sent(receiver) == {"1", "2", "3", "4"}

    report = suppress(project, "email", " MARKED-TWO@example.com", more=("--reason", "complaint 17"))
    assert (report["list"], report["added"], report["entries"], report["syncs"]) == ("email", 1, 1, [SYNC])

    planned = project.run("--json", "plan", SYNC).json
    assert [(s["change"], s["reason"]) for s in planned["samples"]] == [("delete", "suppressed")]
    report = project.report()
    assert (report["status"], report["delivered"]["deletes"], report["plan"]["withheld"]) == ("succeeded", 1, 1)
    assert sent(receiver) == {"1", "3", "4"}
    assert project.report()["status"] == "unchanged"


LISTED = {
    "another spelling of an address": ("email", "email", ("markedone+news@GMAIL.com",), "1"),
    "the hash of an address": ("email", "sha256", (sha256("marked-two@example.com"),), "2"),
    "the hash of an address as Google wants it": ("email", "sha256", (sha256("markedone@gmail.com"),), "1"),
    "a hash in capitals": ("email", "sha256", (sha256("marked-two@example.com").upper(),), "2"),
    "a number in another form": ("phone", "phone", ("+44 (0)20 7946-0018",), "2"),
    "the hash of a number with its plus": ("phone", "sha256", (sha256("+16505551212"),), "1"),
    "the hash of a number without its plus": ("phone", "sha256", (sha256("16505551212"),), "1"),
    "an id": ("id", "id", ("3",), "3"),
    "the hash of an id": ("id", "sha256", (sha256("3"),), "3"),
}


@pytest.mark.parametrize(("kind", "column", "written", "who"), LISTED.values(), ids=LISTED)
def test_people_are_known_by_what_they_are_reached_by_however_it_is_written(
    project: TestProject, receiver: Receiver, kind: str, column: str, written: tuple[str, ...], who: str
) -> None:
    more = ("--hashed", "sha256") if column == "sha256" else ()
    suppress(project, kind, *written, column=column, more=more)

    assert project.report()["plan"]["withheld"] == 1
    assert sent(receiver) == {"1", "2", "3", "4"} - {who}


def test_a_list_of_one_destination_holds_for_no_other(project: TestProject, receiver: Receiver) -> None:
    project.destination("other", receiver.url)
    suppress(project, "id", "1", more=("--destination", "other"))
    report = suppress(project, "id", "2", more=("--destination", "hook"))
    assert (report["list"], report["destination"]) == ("id-hook", "hook")

    project.report()

    assert sent(receiver) == {"1", "3", "4"}
    listed = project.run("--json", "suppress", "list").json
    assert [(each["name"], each["destination"], each["entries"], each["syncs"]) for each in listed] == [
        ("id-hook", "hook", 1, [SYNC]),
        ("id-other", "other", 1, []),
    ]


@pytest.mark.slow
def test_a_list_only_grows_by_imports_and_who_is_taken_out_is_sent_again(
    project: TestProject, receiver: Receiver
) -> None:
    suppress(project, "email", "marked-two@example.com", "marked-nine@example.com")
    assert suppress(project, "email", "marked-three@example.com", "marked-two@example.com")["added"] == 1
    project.report()
    assert sent(receiver) == {"1", "4"}

    file = values(project, "email", "MARKED-TWO@example.com")
    taken = project.run("--json", "suppress", "remove", "email", str(file), "--reason", "by mistake").json
    assert (taken["removed"], taken["entries"]) == (1, 2)
    project.report()
    assert sent(receiver) == {"1", "2", "4"}

    assert project.run("suppress", "remove", "email", "--reason", "ended").code == 0
    project.report()
    assert sent(receiver) == {"1", "2", "3", "4"}
    assert project.run("--json", "suppress", "list").json == []


@pytest.mark.slow
def test_a_person_who_comes_later_is_met_although_the_list_did_not_change(
    project: TestProject, receiver: Receiver
) -> None:
    suppress(project, "email", "marked-late@example.com")
    project.report()

    reached(project, {**PEOPLE, 3: ("Marked-Late@example.com", None), 5: ("marked-five@example.com", None)})

    planned = project.run("--json", "plan", SYNC).json
    assert planned["plan"]["comparison"] == "incremental"
    project.report()
    assert sent(receiver) == {"1", "2", "4", "5"}


def test_a_list_that_comes_during_a_run_counts_from_the_next_window_on(
    project: TestProject, receiver: Receiver
) -> None:
    """I2 for lists."""
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    reached(project, {n: (f"marked-{n}@example.com", None) for n in range(1, 61)})

    def answer(_body: dict[str, Any]) -> Answer | None:
        if len(receiver.journal) == 2:
            suppress(project, "email", "marked-59@example.com", "marked-60@example.com")
        return None

    receiver.answer = answer
    report = project.report()
    late = {r["id"] for one in receiver.journal[4:] for r in one.records}
    early = {r["id"] for one in receiver.journal[:4] for r in one.records}

    assert late.isdisjoint({"59", "60"})
    assert report["withheld"] == len({"59", "60"} - early)

    receiver.answer = lambda _body: None
    project.report()
    assert sent(receiver) == {str(n) for n in range(1, 59)}


def test_without_a_word_on_identifiers_a_list_stops_the_sync_until_there_is_one(
    project: TestProject, receiver: Receiver
) -> None:
    """Not decided falls to the safe side: nobody can tell who is in the list."""
    dataset(project, ["id", "email"])
    project.report()
    before = receiver.requests
    suppress(project, "email", "marked-two@example.com")
    for _ in range(2):
        report = project.report()
        assert (report["status"], report["exit"]) == ("blocked", 3)
        assert "identifiers: {COLUMN: email}" in report["reason"]
    assert receiver.requests == before

    dataset(project, {"id": "id", "email": "email"})

    assert project.report()["delivered"]["deletes"] == 1
    assert sent(receiver) == {"1", "3", "4"}


def test_a_column_that_is_named_an_identifier_later_is_held_against_the_lists(
    project: TestProject, receiver: Receiver
) -> None:
    dataset(project, {})
    suppress(project, "email", "marked-two@example.com")
    project.report()
    assert sent(receiver) == {"1", "2", "3", "4"}

    dataset(project, {"email": "email"})

    assert project.report()["delivered"]["deletes"] == 1
    assert sent(receiver) == {"1", "3", "4"}


def test_an_identifier_that_no_list_can_name_is_told(project: TestProject) -> None:
    reached(project, {1: ("nobody", "650 555 1212"), 2: PEOPLE[2]})
    suppress(project, "phone", "+1 650 555 1212")

    checks = {c["check"]: c for c in project.run("--json", "plan", SYNC).json["checks"]}

    assert checks["suppression.lists"]["verdict"] == "warn"
    assert checks["suppression.lists"]["metrics"] == {"incomparable": 1}
    assert checks["suppression.applied"]["verdict"] == "pass"


def test_a_list_that_cannot_be_read_sends_nothing(project: TestProject, receiver: Receiver) -> None:
    suppress(project, "email", "marked-two@example.com")
    (segment,) = (project.folder / ".tidegate/segments/suppression/lists").glob("*.parquet")
    kept = segment.read_bytes()
    for damage in (kept[:-7] + b"damaged", b""):
        segment.write_bytes(damage)
        assert project.run("run", SYNC).code == 1
    segment.unlink()
    assert project.run("run", SYNC).code == 1
    assert receiver.requests == 0

    segment.write_bytes(kept)
    assert project.report()["status"] == "succeeded"
    assert sent(receiver) == {"1", "3", "4"}


def test_a_ledger_from_before_a_list_is_refused(project: TestProject, receiver: Receiver) -> None:
    """I21: lists fail closed as consent does."""
    suppress(project, "id", "1")
    ledger = project.folder / ".tidegate" / "ledger.db"
    kept = {path: path.read_bytes() for path in ledger.parent.glob("ledger.db*")}
    suppress(project, "email", "marked-two@example.com")
    for path in ledger.parent.glob("ledger.db*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)

    ended = project.run("run", SYNC)

    assert (ended.code, "went back in time" in " ".join(ended.err.split() + ended.out.split())) == (1, True)
    assert receiver.requests == 0


def test_nobody_can_be_read_in_a_list_or_an_event(project: TestProject) -> None:
    suppress(project, "email", "marked-two@example.com", "marked-three@example.com")
    suppress(project, "phone", "+44 20 7946 0018")

    (email, phone) = sorted((project.folder / ".tidegate/segments/suppression/lists").glob("*.parquet"), key=_rows)
    shown = f"{pq.read_table(email).to_pylist()}{pq.read_table(phone).to_pylist()}"
    shown += project.run("--json", "ledger", "tail", "--limit", "100").out
    shown += project.run("suppress", "list").out
    assert MARK not in shown
    assert "7946" not in shown


def _rows(path: Path) -> int:
    return pq.read_metadata(path).num_rows


BAD = {
    "an empty file": ("email", "", "must be a header"),
    "a header only": ("email", "email\n", "holds no value"),
    "another column": ("email", "mail\na@b.example\n", "email"),
    "what is no address": ("email", "email\na@b.example\nnobody\n", "row 2 is not an e-mail address"),
    "a number without its country": (
        "phone",
        "phone\n650 555 1212\n",
        "row 1 is not a phone number that says its country",
    ),
    "blanks": ("id", "id\n1\n  \n", "row 2 is not an id"),
    "hashes where addresses are wanted": ("email", f"email\n{'a' * 64}\n", "row 1 is not an e-mail address"),
}


@pytest.mark.parametrize(("kind", "text", "why"), BAD.values(), ids=BAD)
def test_a_file_with_anything_else_suppresses_nobody_and_says_why(
    project: TestProject, kind: str, text: str, why: str
) -> None:
    path = project.folder / "list.csv"
    path.write_text(text, encoding="utf-8")

    ended = project.run("suppress", "import", str(path), "--kind", kind)

    assert ended.code in {1, 2}
    assert why in " ".join(ended.err.split())
    assert "nobody" not in ended.err
    assert project.run("--json", "suppress", "list").json == []


def test_what_is_no_hash_is_no_entry_of_a_hashed_list(project: TestProject) -> None:
    file = values(project, "sha256", sha256("a"), "a@b.example")

    ended = project.run("suppress", "import", str(file), "--kind", "email", "--hashed", "sha256")

    assert (ended.code, "row 2 is not a SHA-256" in " ".join(ended.err.split())) == (2, True)


@pytest.mark.parametrize(
    "reason",
    ["asked for by marked-two@example.com", "see +442079460018.", "for +44 20 7946 0018, who called", "x" * 501],
)
def test_a_reason_that_names_somebody_is_not_kept(project: TestProject, reason: str) -> None:
    file = values(project, "phone", "+44 20 7946 0018")

    ended = project.run("suppress", "import", str(file), "--kind", "phone", "--reason", reason)

    assert (ended.code, "--reason" in ended.err) == (2, True)
    assert project.run("--json", "suppress", "list").json == []


def test_a_destination_or_a_list_that_there_is_not_is_refused_with_those_that_there_are(project: TestProject) -> None:
    file = values(project, "id", "1")
    wrong = project.run("suppress", "import", str(file), "--kind", "id", "--destination", "hok")
    assert (wrong.code, "did you mean `hook`?" in " ".join(wrong.err.split())) == (2, True)
    suppress(project, "id", "1")
    wrong = project.run("suppress", "remove", "ids", "--reason", "none")
    assert (wrong.code, "known: id" in " ".join(wrong.err.split())) == (2, True)
    wrong = project.run("suppress", "import", str(file), "--kind", "id", "--destination", "hook", "--list", "id")
    assert (wrong.code, "for every destination" in " ".join(wrong.err.split())) == (2, True)
