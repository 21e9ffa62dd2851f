"""Salesforce's jobs beside its calls: made, given one file, told that it is whole, asked about, and read by three files of results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import httpx

from destinations.base import Delivered, Failed, Limits, Op, Outcome, Rejected, Spec, Value
from destinations.salesforce.adapter import JOB_LIMITS
from destinations.testing.fake import Fake, Sent
from destinations.testing.fake_jobs import JobsFake
from destinations.testing.faults import Fault
from destinations.testing.salesforce import ROOT, WORDS, SalesforceFake, TestSalesforce, error
from destinations.testing.salesforce_fields import Column, is_of_type
from destinations.testing.samples import Kind
from destinations.testing.suite import Stage

JOBS = f"{ROOT}/jobs/ingest"
CELL_LENGTH_MAX = 32_000
TEXT_LENGTH = 30_000


class SalesforceJobsFake(JobsFake, SalesforceFake):
    """Upserts come as jobs, everything else by calls."""

    limits: ClassVar[Limits | None] = Limits(records=10_000, bytes=100_000_000)
    answers_by_place: ClassVar[bool] = False

    def __init__(self, spec: Spec, folder: Path) -> None:
        super().__init__(spec, folder)
        self.made: dict[str, dict[str, Any]] = {}
        """What each job was made with."""
        self.whole: set[str] = set()
        """The jobs that were told that their file is whole; no other begins."""
        self.stops_after: int | None = None
        """After how many records a job fails; those behind them are not processed."""
        self._names: dict[str, str] = {}
        self._rows: dict[str, dict[str, dict[str, str]]] = {}
        self._told_of: dict[str, Sequence[Outcome]] = {}

    def received(self, request: httpx.Request) -> Sequence[Sent] | None:
        if not _is_upload(request):
            return SalesforceFake.received(self, request)
        made = self.made[_job(request)]
        assert request.headers["content-type"] == "text/csv", "a file is CSV"
        rows = csv.DictReader(io.StringIO(request.content.decode(), newline=""), strict=True)
        return [Sent(Op.UPSERT, row[made["externalIdFieldName"]], self._fields(row, made)) for row in rows]

    def elsewhere(self, request: httpx.Request) -> httpx.Response:
        path, _, last = request.url.path.partition(f"{JOBS}/")[2].partition("/")
        match request.method, last:
            case "POST", "" if request.url.path == JOBS:
                id = f"job-{len(self.made) + 1}"
                self.made[id] = json.loads(request.content)
                return httpx.Response(200, json={"id": id, "state": "Open"})
            case "PATCH", "":
                assert json.loads(request.content) == {"state": "UploadComplete"}, "a file is told to be whole"
                self.whole.add(path)
                return httpx.Response(200, json={"id": path, "state": "UploadComplete"})
            case "GET", "successfulResults" | "failedResults" | "unprocessedrecords":
                return self._file(path, last)
            case _:
                return super().elsewhere(request)

    def submitted(self, request: httpx.Request, job: str) -> httpx.Response:
        made = self.made[_job(request)]
        self._names[_job(request)] = job
        rows = csv.DictReader(io.StringIO(request.content.decode(), newline=""))
        self._rows[_job(request)] = {row[made["externalIdFieldName"]]: row for row in rows}
        return httpx.Response(201)

    def address(self, request: httpx.Request) -> str:
        return str(request.url).replace(_job(request), "job") if _is_upload(request) else super().address(request)

    def asked(self, request: httpx.Request) -> str | None:
        is_question = request.method == "GET" and request.url.path.rpartition("/")[0] == JOBS
        return self._names.get(_job(request), "nobody") if is_question else None

    def running(self, request: httpx.Request, job: str) -> httpx.Response:
        del job
        return _state(request, "InProgress")

    def failed(self, request: httpx.Request, job: str) -> httpx.Response:
        del job
        self._told_of[_job(request)] = ()
        return _state(request, "Failed", errorMessage="InternalServerError : nothing was done")

    def forgotten(self, request: httpx.Request) -> httpx.Response:
        del request
        return error(404, "NOT_FOUND", "The requested resource does not exist")

    def answered(self, request: httpx.Request, outcomes: Sequence[Outcome]) -> httpx.Response:
        if self.asked(request) is None:
            return super().answered(request, outcomes)
        wrong = sum(isinstance(one, Rejected) for one in outcomes)
        how = "JobComplete" if self.stops_after is None else "Failed"
        return _state(request, how, numberRecordsProcessed=len(outcomes), numberRecordsFailed=wrong)

    def _met(self, request: httpx.Request) -> Fault | None:
        """Faults meet the file and the questions: without these, the calls around them do nothing."""
        is_about_jobs = request.url.path.startswith(JOBS)
        return super()._met(request) if not is_about_jobs or _is_upload(request) or self.asked(request) else None

    def _complaint(self, request: httpx.Request, sent: Sequence[Sent]) -> str:
        if not _is_upload(request):
            return super()._complaint(request, sent)
        job = _job(request)
        wanted = {"object": self.object, "operation": "upsert", "externalIdFieldName": self.match, "contentType": "CSV"}
        if self.made[job] != {**wanted, "lineEnding": "LF", "columnDelimiter": "COMMA"}:
            return "a job is made for something else"
        if job in self._names:
            return "a job takes one file"
        if any(
            isinstance(value, str) and len(value) > CELL_LENGTH_MAX for one in sent for value in one.fields.values()
        ):
            return "a cell is beyond its limit"
        return super(SalesforceFake, self)._complaint(request, sent)

    def _first(self, request: httpx.Request, sent: Sequence[Sent]) -> httpx.Response:
        if _is_upload(request):
            return super()._first(request, sent)
        return SalesforceFake._first(self, request, sent)  # noqa: SLF001  # past the jobs

    def _told(self, request: httpx.Request, name: str) -> httpx.Response:
        job = _job(request)
        if job in self._names and job not in self.whole:
            return self.running(request, name)
        unknown = sorted({column for row in self._rows.get(job, {}).values() for column in row} - self.schema.keys())
        if unknown:
            self._told_of[job] = ()
            return _state(request, "Failed", errorMessage=f"InvalidBatch : Field name not found : {unknown[0]}")
        return super()._told(request, name)

    def _said(self, request: httpx.Request, outcomes: list[Outcome]) -> httpx.Response:
        answer = super()._said(request, outcomes)
        if self.asked(request) is not None:
            self._told_of[_job(request)] = self._spoken(outcomes)
        return answer

    def _applied(self, record: Sent) -> Outcome:
        """Each record of a job is judged when the job comes to it."""
        if self.stops_after == 0:
            return Failed(record.id, "left", "not processed")
        self.stops_after = None if self.stops_after is None else self.stops_after - 1
        mistyped = [n for n, value in record.fields.items() if not is_of_type(self.schema[n], value)]
        wrong = ("INVALID_TYPE_ON_FIELD_IN_RECORD", mistyped[0]) if mistyped else self._judged(record)
        if wrong is not None:
            self._wrong[record.id] = wrong
        return super()._applied(record)

    def _fields(self, row: Mapping[str, str], made: Mapping[str, str]) -> dict[str, Value]:
        """An empty cell says nothing of its field."""
        cells = {name: cell for name, cell in row.items() if cell and name != made["externalIdFieldName"]}
        return {name: _value(self.schema.get(name, Column()), cell) for name, cell in cells.items()}

    def _file(self, job: str, name: str) -> httpx.Response:
        """One file of results, in an order of its own, which repeats what was sent."""
        kinds: dict[str, type] = {
            "successfulResults": Delivered,
            "failedResults": Rejected,
            "unprocessedrecords": Failed,
        }
        text = io.StringIO(newline="")
        writer: Any = None
        for one in self._told_of[job]:
            if not isinstance(one, kinds[name]):
                continue
            row = self._rows[job].get(one.id, {self.match: one.id})
            said = {"sf__Id": self.id_of(one.id), "sf__Created": "true"} if isinstance(one, Delivered) else {}
            said |= {"sf__Id": "", "sf__Error": self._words(one)} if isinstance(one, Rejected) else {}
            writer = writer or csv.DictWriter(
                text, [*said, *next(iter(self._rows[job].values()))], quoting=csv.QUOTE_ALL
            )
            text.write("" if text.tell() else ",".join(f'"{column}"' for column in writer.fieldnames) + "\n")
            writer.writerow({**said, **row})
        return httpx.Response(200, text=text.getvalue(), headers={"content-type": "text/csv"})

    def _words(self, one: Rejected) -> str:
        code, field = self._wrong.get(one.id, (WORDS.get(one.code, one.code), ""))
        return f"{code}:a-value-of-somebody: is wrong:{field} --"


def _is_upload(request: httpx.Request) -> bool:
    return request.method == "PUT" and request.url.path.endswith("/batches")


def _job(request: httpx.Request) -> str:
    return request.url.path.removeprefix(f"{JOBS}/").partition("/")[0]


def _state(request: httpx.Request, name: str, **more: Value) -> httpx.Response:
    return httpx.Response(200, json={"id": _job(request), "state": name, "errorMessage": None, **more})


def _value(column: Column, cell: str) -> Value:
    """A cell as the field reads it; one that it cannot read stays text."""
    match column.type:
        case _ if cell == "#N/A":
            return None
        case "boolean" if cell in {"true", "false"}:
            return cell == "true"
        case "int" | "double":
            try:
                return int(cell) if column.type == "int" else Decimal(cell)
            except (ValueError, InvalidOperation):
                return cell
        case _:
            return cell


class TestSalesforceJobs(TestSalesforce):
    """Contacts, by jobs."""

    config: ClassVar[Mapping[str, Any]] = MappingProxyType({**TestSalesforce.config, "bulk_from": 1})
    fake: ClassVar[type[Fake]] = SalesforceJobsFake

    def test_a_call_never_carries_more_bytes_than_the_limit(self, stage: Stage) -> None:
        """No cell may be so long that few records fill a file, so many come."""
        records = {f"long{n}@example.com": {Kind.TEXT: "é" * TEXT_LENGTH} for n in range(200)}

        stage.assert_delivered(records, stage.deliver(records))

        assert max(len(request.content) for request in stage.api.sent) > JOB_LIMITS.bytes // 2
