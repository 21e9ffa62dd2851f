"""The whole engine against a model of three dictionaries, through whatever a source, a person, a destination or a crash does.

Steps come in any order; after each the ledger is replayed against what the destination says it received, and in the end,
once nothing interferes any more, the destination holds the desired state and nothing else of ours (I1, I4 to I9, I12, I28).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from engine import failpoints
from engine.bootstrap import open_app
from engine.core.merged import Patience
from engine.core.names import DatasetId
from engine.steps.merge import merge_changes
from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.projects import CONTRACT, TestProject
from tests.property.effort import PATIENCE, examples
from tests.receiver import Answer, Receiver, receiving

pytestmark = [pytest.mark.slow, PATIENCE]

SYNC = "people_to_hook"
IDS = range(1, 9)
FOREIGN = {"name": "somebody else's", "score": 1.0}
POINTS = sorted(failpoints.NAMES - {"migrate.step", "lease.before_renew", "lease.after_acquire"})
STORAGE_POINTS = sorted(failpoints.STORAGE_NAMES)
SOUND = ("", "")
"""Where nothing fails; as often as a few of the points together."""
ROUNDS_MAX = 8
"""Runs in which everything that is owed must be settled once nothing interferes: rejections count to five."""

BAD = "?"
"""A name with which a rule of the contract sets the row aside; none that goes on is bad."""

names = st.sampled_from(["a", "b", "ü", "", BAD])
edits = st.dictionaries(st.sampled_from(IDS), st.one_of(names, st.none()), max_size=4)
some = st.sets(st.sampled_from(IDS), min_size=1, max_size=3)


class Engine(RuleBasedStateMachine):
    """One sync in mirror mode with consent; small batches, so that a window holds several."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = ExitStack()
        folder = Path(self.ends.enter_context(TemporaryDirectory()))
        self.receiver: Receiver = self.ends.enter_context(receiving())
        self.project = TestProject(folder, self.receiver.url, threads=2)
        self.rows: dict[int, str] = {}
        self.agreed: dict[int, bool] = {}
        self.forgotten: set[int] = set()
        self.paused = False

    @initialize(
        rows=st.dictionaries(st.sampled_from(IDS), names, min_size=1),
        agreed=some,
        on_withdrawal=st.sampled_from(["delete", "unsubscribe", "ignore"]),
    )
    def begin(self, rows: dict[int, str], agreed: set[int], on_withdrawal: str = "delete") -> None:
        self.on_withdrawal = on_withdrawal
        self.project.destination("hook", self.receiver.url, batch={"records": 2})
        self.project.write("contracts/people-v1.odcs.yaml", _setting_aside())
        self.project.write("contracts/register-v1.odcs.yaml", REGISTER)
        register = {"connection": "lake", "table": "register.parquet"}
        contract = "contracts/register-v1.odcs.yaml"
        files = {"name": "register", "kind": "consent", "contract": contract, "source": register}
        self.project.write("datasets/register.yaml", files)
        self.project.sync(SYNC, consent={"purpose": "email", "subject": "id", "on_withdrawal": on_withdrawal})
        self.receiver.records["foreign"] = dict(FOREIGN)
        self.rows = rows
        self.agreed = dict.fromkeys(agreed, True)
        self._write()

    @rule(edits=edits)
    def the_source_changes(self, edits: dict[int, str | None]) -> None:
        changed = {**self.rows, **edits}
        rows = {id: name for id, name in changed.items() if name is not None}
        if rows:
            self.rows = rows
            self._write()

    @rule(subjects=some, grants=st.booleans())
    def people_decide(self, subjects: set[int], grants: bool) -> None:
        self.agreed |= dict.fromkeys(subjects, grants)
        self._write()

    @rule()
    def a_run_that_nothing_disturbs_brings_the_desired_state(self) -> None:
        aside = self._aside()
        before = {id: self._held().get(id) for id in aside}
        report = self._run()
        if self.paused:
            return
        assert report["status"] in {"succeeded", "unchanged", "partial"}
        if not report["resumed"]:
            assert {id: self._held().get(id) for id in aside} == before, "what is held of rows set aside stays"
        listed = self.project.run("--json", "quarantine", "list", "people@1").json
        bad = {str(id) for id, name in self.rows.items() if name == BAD and id not in self.forgotten}
        assert {row["key"] for row in listed["records"]} == bad
        if report["status"] != "partial" and not report["plan"]["withheld"]:
            assert self._reached() == self._wanted()

    @rule(refused=some)
    def a_run_in_which_records_are_rejected(self, refused: set[int]) -> None:
        self._run(lambda body: _some(body, refused, "rejected"))

    @rule(failing=some)
    def a_run_in_which_records_fail(self, failing: set[int]) -> None:
        self._run(lambda body: _some(body, failing, "failed"))

    @rule(poison=st.sampled_from(IDS))
    def a_run_in_which_batches_are_refused_for_one_record(self, poison: int) -> None:
        self._run(lambda body: (400, {}, b"no") if str(poison) in _ids(body) else None)

    @rule()
    def a_run_in_which_one_answer_is_lost(self) -> None:
        self._run(_once((200, {}, b"{")))

    @rule(point=st.sampled_from(POINTS), hit=st.integers(1, 3))
    def a_run_that_dies(self, point: str, hit: int) -> None:
        failpoints._points.armed[point] = failpoints._Armed("raise", "", hit)
        try:
            self.project.run("run", SYNC)
        finally:
            failpoints._points.armed.clear()

    @rule(is_paused=st.booleans())
    def the_sync_is_paused_or_resumed(self, is_paused: bool) -> None:
        assert self.project.run("pause" if is_paused else "resume", SYNC, "--reason", "maintenance").code == 0
        self.paused = is_paused

    @rule(word=st.sampled_from(["pause", "cancel"]), call=st.integers(1, 5))
    def a_run_that_another_process_halts(self, word: str, call: int) -> None:
        """Whatever was acknowledged until then counts, and nothing else; what is left is owed."""
        calls, halted = iter(range(1, 1_000)), list[int]()

        def answer(_body: object) -> None:
            if next(calls) == call:
                halted.append(self.project.run(word, SYNC).code)

        report = self._run(answer)
        assert halted in ([], [0])
        if halted and word == "pause":
            self.paused = True
        if self.paused or not halted:
            return
        assert report["status"] in {"cancelled", "succeeded", "partial"}, report

    @rule()
    def the_run_that_has_not_ended_is_given_up(self) -> None:
        before = len(self.receiver.journal)
        assert self.project.run("cancel", SYNC).code in {0, 2}
        assert len(self.receiver.journal) == before

    @rule(word=st.sampled_from(["release", "drop"]))
    def what_was_rejected_is_released_or_given_up(self, word: str) -> None:
        """Given up is a value, never a record: it is sent when it changes."""
        before = len(self.receiver.journal)
        assert self.project.run("quarantine", word, SYNC).code in {0, 2}
        assert len(self.receiver.journal) == before

    @rule(id=st.sampled_from(IDS))
    def somebody_is_forgotten(self, id: int) -> None:
        """For ever: the source and the register may hold them as before, and again."""
        assert self.project.run("forget", str(id), "--reason", "asked for it").code in {0, 5}
        self.forgotten.add(id)

    @rule(keeps=st.none() | st.integers(1, 2), point=st.sampled_from([*STORAGE_POINTS, *SOUND]))
    def what_is_old_is_dropped_and_merged(self, keeps: int | None, point: str) -> None:
        """Nobody sees that: not the destination, and not what comes after, also when it dies half-way."""
        before = len(self.receiver.journal)
        people = {"connection": "lake", "table": "people.parquet"}
        dataset = {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": people}
        self.project.write("datasets/people.yaml", {**dataset, **({"retain": {"versions": keeps}} if keeps else {})})
        if point:
            failpoints._points.armed[point] = failpoints._Armed("raise", "", 1)
        try:
            self.project.run("gc", "--older-than", "0")
            with closing(open_app(self.project.folder, environment=None)) as app, suppress(failpoints.FailpointRaised):
                merge_changes(app.tools, DatasetId("people@1"), Patience(fresh=0, together=2))
        finally:
            failpoints._points.armed.clear()
        assert len(self.receiver.journal) == before

    @rule()
    def a_look_changes_nothing(self) -> None:
        before = len(self.receiver.journal)
        assert self.project.run("plan", SYNC).code in {0, 3, 4}
        assert self.project.run("status").code == 0
        assert len(self.receiver.journal) == before

    @invariant()
    def the_ledger_and_the_destination_agree(self) -> None:
        assert self.receiver.records.get("foreign", FOREIGN) == FOREIGN
        if (self.project.folder / ".tidegate" / "ledger.db").exists():
            ours = {id: fields for id, fields in self.receiver.records.items() if id != "foreign"}
            self.project.checked(_with(self.receiver, ours))

    def teardown(self) -> None:
        try:
            if self.rows:
                self._settle()
        finally:
            self.ends.close()

    def _settle(self) -> None:
        """What was set aside comes back when its values change; then run until nothing is left."""
        assert self.project.run("resume", SYNC).code == 0
        self.paused = False
        self.rows = {id: name + "." for id, name in self.rows.items()}
        self._write()
        statuses = []
        for _ in range(ROUNDS_MAX):
            statuses.append(self._run()["status"])
            if statuses[-1] == "unchanged":
                break
        assert statuses[-1] == "unchanged", statuses
        assert self._reached() == self._wanted()
        assert self._others_are_left_as_the_sync_says()
        assert self.receiver.records["foreign"] == FOREIGN
        assert self.project.run("ledger", "verify").code == 0
        assert self.project.run("erasures", "list").code == 0

    def _run(self, answer: Callable[[dict[str, Any]], Answer | None] = lambda _: None) -> dict[str, Any]:
        self.receiver.answer, before, was_paused = answer, len(self.receiver.journal), self.paused
        try:
            report = self.project.report()
        finally:
            self.receiver.answer = lambda _: None
        assert (report["status"] == "paused" and len(self.receiver.journal) == before) or not was_paused
        assert report["status"] != "succeeded" or report["rejected"] + report["failed"] + report["unknown"] == 0
        return report

    def _held(self) -> dict[str, Mapping[str, Any]]:
        return {id: fields for id, fields in self.receiver.records.items() if id != "foreign"}

    def _reached(self) -> dict[str, Mapping[str, Any]]:
        """What is held of people who consent and whose rows are good, and of rows that are gone."""
        refusing = {str(id) for id in self.rows if not self.agreed.get(id) and id not in self.forgotten}
        kept = self._aside() | (set() if self.on_withdrawal == "delete" else refusing)
        return {id: fields for id, fields in self._held().items() if id not in kept}

    def _others_are_left_as_the_sync_says(self) -> bool:
        told = self.on_withdrawal == "unsubscribe"
        others = self._held().keys() - self._wanted().keys()
        return all(("unsubscribed" in self._held()[id]) is told for id in others)

    def _aside(self) -> set[str]:
        """Whose records are left as they are, because their rows are bad and nobody is owed their removal."""
        theirs = (id for id, name in self.rows.items() if name == BAD and self.agreed.get(id))
        return {str(id) for id in theirs if id not in self.forgotten}

    def _wanted(self) -> dict[str, dict[str, Any]]:
        good = (id for id, name in self.rows.items() if name != BAD)
        sent = (id for id in good if self.agreed.get(id) and id not in self.forgotten)
        return {str(id): {"name": self.rows[id], "score": 1.0} for id in sent}

    def _write(self) -> None:
        self.project.people({id: (name, 1.0) for id, name in self.rows.items()})
        decisions = [granted(str(id)) if yes else withdrawn(str(id)) for id, yes in self.agreed.items()]
        # Somebody who is in no row and is never forgotten: a register that is empty is refused.
        decide(self.project, granted("0"), *decisions)


def _setting_aside() -> dict[str, Any]:
    """The contract of people, which sets rows with a bad name aside, however many they are."""
    contract = copy.deepcopy(CONTRACT)
    (table,) = contract["schema"]
    table["customProperties"] = [{"property": "tidegate.quarantineMaxRatio", "value": 1}]
    table["properties"][1] |= {
        "logicalTypeOptions": {"pattern": r"^([^?]|.{2,})?$"},
        "customProperties": [{"property": "tidegate.quarantine", "value": True}],
    }
    return contract


def _ids(body: Mapping[str, Any]) -> set[str]:
    return {record["id"] for record in body["records"]}


def _some(body: Mapping[str, Any], chosen: set[int], status: str) -> Answer | None:
    """Nothing of a batch is applied that holds a chosen record; the others of it fail."""
    if not _ids(body) & set(map(str, chosen)):
        return None
    results = [
        {"id": id, "status": status if int(id) in chosen else "failed", "code": "x", "message": "told to"}
        for id in sorted(_ids(body))
    ]
    return 200, {}, json.dumps({"results": results}).encode()


def _once(answer: Answer) -> Callable[[dict[str, Any]], Answer | None]:
    left = [answer]
    return lambda _: left.pop() if left else None


def _with(receiver: Receiver, records: dict[str, dict[str, Any]]) -> Receiver:
    return Receiver(records=records, journal=receiver.journal)


def test_whatever_happens_the_destination_converges_and_the_ledger_agrees() -> None:
    run_state_machine_as_test(Engine, settings=examples(6, steps=14))
