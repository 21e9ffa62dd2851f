"""Large plans go as jobs: what their files hold, what the files of results say, and what goes by calls all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.base import Delivered, Failed, Op, Outcome, Outcomes, Rejected, Running, Stop, Throttled, Unavailable
from destinations.salesforce import bulk
from destinations.salesforce.adapter import JOB_LIMITS, Salesforce
from destinations.salesforce.answers import DAILY_PAUSE
from destinations.testing.salesforce import ROOT
from destinations.testing.salesforce_bulk import SalesforceJobsFake
from destinations.testing.samples import rows
from engine.delivery.rehearsal import KeptJobs, Line, Rehearsal, rehearse
from tests.destinations.batches import batch
from tests.destinations.calls import send
from tests.destinations.rehearsed import said
from tests.destinations.salesforce.org import adapter, delivered, org


@pytest.fixture
def api(tmp_path: Path) -> SalesforceJobsFake:
    return SalesforceJobsFake(Salesforce.spec, tmp_path)


def people(count: int) -> dict[str, dict[str, Any]]:
    return {f"c-{n}": {"LastName": f"P{n}"} for n in range(count)}


def submitted(api: httpx.AsyncBaseTransport, records: Mapping[str, Mapping[str, Any]], **config: Any) -> Rehearsal:
    return delivered(api, Op.UPSERT, records, **{"bulk_from": 1, **config})


def csv_of(fields: Mapping[str, Mapping[str, Any]]) -> str:
    return bulk.sort_out(
        batch(Op.UPSERT, {key: dict(one) for key, one in fields.items()}, key="Ext_Key__c")
    ).content.decode()


@pytest.mark.parametrize(("count", "jobs"), [(4, 0), (5, 1)])
def test_the_size_of_the_plan_decides_between_calls_and_jobs(api: SalesforceJobsFake, count: int, jobs: int) -> None:
    ended = submitted(api, people(count), bulk_from=5)

    assert ended.others == {}
    assert len(api.held()) == count
    assert len(api.made) == jobs


def test_no_plan_goes_as_a_job_where_the_operator_says_so() -> None:
    never = adapter(bulk_from=None)

    assert never.limits_for(10**9) == Salesforce.spec.limits
    assert adapter().limits_for(2_000) == JOB_LIMITS
    assert adapter().limits_for(1_999) == Salesforce.spec.limits


def test_a_job_is_made_given_its_file_and_told_that_it_is_whole(api: SalesforceJobsFake) -> None:
    submitted(api, people(3))

    calls = [(request.method, request.url.path.removeprefix(f"{ROOT}/jobs/ingest")) for request in api.requests]
    assert calls[:3] == [("POST", ""), ("PUT", "/job-1/batches"), ("PATCH", "/job-1")]
    assert json.loads(api.requests[0].content)["externalIdFieldName"] == "Ext_Key__c"
    assert [path for _, path in calls[-4:]] == [
        "/job-1",
        "/job-1/successfulResults",
        "/job-1/failedResults",
        "/job-1/unprocessedrecords",
    ]


def test_every_cell_is_quoted_and_a_null_is_not_an_empty_cell() -> None:
    fields = {
        "c-1": {"Notes__c": 'a "b", c\nd', "Seats__c": 7, "Revenue__c": Decimal("0.10"), "Is_Vip__c": True},
        "c-2": {"Notes__c": None, "Seats__c": 0, "Is_Vip__c": False},
        "c-3": {"Notes__c": ""},
    }

    assert csv_of(fields) == (
        '"Ext_Key__c","Is_Vip__c","Notes__c","Revenue__c","Seats__c"\n'
        '"c-1","true","a ""b"", c\nd","0.10","7"\n'
        '"c-2","false","#N/A","","0"\n'
        '"c-3","","#N/A","",""\n'
    )


def test_a_related_record_is_a_column_and_let_go_of_by_its_lookup() -> None:
    fields = {"c-1": {"Account.Ext_Key__c": "a-3"}, "c-2": {"Account.Ext_Key__c": None}}

    assert csv_of(fields) == ('"Account.Ext_Key__c","AccountId","Ext_Key__c"\n"a-3","","c-1"\n"","#N/A","c-2"\n')


def test_what_no_job_can_carry_is_rejected_alone_and_told_with_its_field(api: SalesforceJobsFake) -> None:
    bad = {"b-1": {"Notes__c": "x" * 32_001}, "b-2": {"LastName": "#N/A"}}

    ended = submitted(api, {**people(2), **bad})

    assert ended.delivered == set(people(2)) == set(api.held())
    assert said(ended) == {
        "b-1": (
            "rejected",
            "too_long",
            "`Notes__c` is longer than the 32,000 characters that a job takes: shorten it at the source",
        ),
        "b-2": ("rejected", "invalid", "`LastName` is `#N/A`, by which a job clears a field: correct it at the source"),
    }


def test_where_no_record_is_left_no_job_is_made(api: SalesforceJobsFake) -> None:
    ended = submitted(api, {"b-1": {"LastName": "#N/A"}})

    assert ended.delivered == frozenset()
    assert api.requests == []


def test_one_bad_record_of_each_kind_stops_no_other(api: SalesforceJobsFake) -> None:
    bad: dict[str, dict[str, Any]] = {
        "b-0": {"LastName": "x" * 81},
        "b-1": {"Email": "nobody"},
        "b-2": {"Plan__c": "gold"},
        "b-3": {"Seats__c": "many"},
    }

    ended = submitted(api, {**people(200), **bad})

    assert ended.delivered == set(people(200))
    assert {id: (code, message.partition(" ")[0]) for id, (_, code, message) in said(ended).items()} == {
        "b-0": ("string_too_long", "`LastName`"),
        "b-1": ("invalid_email_address", "`Email`"),
        "b-2": ("invalid_or_null_for_restricted_picklist", "`Plan__c`"),
        "b-3": ("invalid_type_on_field_in_record", "`Seats__c`"),
    }
    assert "a-value-of-somebody" not in repr(ended)


def test_a_column_that_is_not_there_stops_the_run_with_its_name(api: SalesforceJobsFake) -> None:
    ended = submitted(api, {"c-1": {"Lst_Name__c": "P"}})

    assert ended.stop is not None
    assert ended.stop.message.startswith("the object has no field `Lst_Name__c`")


def test_what_a_job_did_not_come_to_is_tried_again(api: SalesforceJobsFake) -> None:
    """D14: a job that fails has done what it did; only what is unprocessed is still owed."""
    api.stops_after = 3

    ended = submitted(api, people(5))

    assert ended.delivered == {"c-0", "c-1", "c-2"} == set(api.held())
    assert {(one.outcome, one.code) for one in ended.others.values()} == {("failed", "unprocessed")}


def test_a_job_of_a_process_that_died_is_read_by_the_next(api: SalesforceJobsFake) -> None:
    """D15."""
    kept = KeptJobs()
    plan = rows(Op.UPSERT, "Ext_Key__c", people(3))
    api.lasts(None)
    rehearse(adapter(bulk_from=1), plan, Line(api, jobs=kept), object="Contact", plan="p1")
    api.lasts(1)

    ended = rehearse(adapter(bulk_from=1), plan, Line(api, jobs=kept), object="Contact", plan="p1")

    assert ended.delivered == set(people(3))
    assert len(api.made) == 1


@pytest.mark.parametrize("op", [Op.UPDATE, Op.DELETE, Op.UNSUBSCRIBE, Op.INSERT])
def test_other_operations_of_a_large_plan_go_by_calls_of_two_hundred(tmp_path: Path, op: Op) -> None:
    api, records = org(tmp_path), people(450)
    if op is not Op.INSERT:
        for key in records:
            api.put(key, {})

    ended = delivered(api, op, records if op in {Op.UPDATE, Op.INSERT} else {key: {} for key in records}, bulk_from=1)

    assert ended.others == {}
    assert api.complaints == []
    assert len(api.held()) == (0 if op is Op.DELETE else 450)


def test_one_bad_value_in_a_large_insert_leaves_the_others_made_once(tmp_path: Path) -> None:
    """D6: what comes again after a refusal would be there already."""
    api = org(tmp_path)

    ended = delivered(api, Op.INSERT, {**people(450), "b-1": {"Seats__c": "many"}}, bulk_from=1)

    assert ended.delivered == set(people(450)) == set(api.held())
    assert said(ended)["b-1"][1] == "json_parser_error"


TWO = batch(Op.UPSERT, {"c-1": {"LastName": "A"}, "c-2": {"LastName": "B"}}, key="Ext_Key__c")
DONE, WRONG = {"sf__Id": "003", "sf__Created": "true"}, {"sf__Id": "", "sf__Error": "STRING_TOO_LONG:4711:LastName --"}


def files(
    done: Sequence[str] = (), wrong: Sequence[str] = (), left: Sequence[str] = ()
) -> dict[str, list[dict[str, str]]]:
    return {
        "successfulResults": [{**DONE, "Ext_Key__c": key} for key in done],
        "failedResults": [{**WRONG, "Ext_Key__c": key} for key in wrong],
        "unprocessedrecords": [{"Ext_Key__c": key} for key in left],
    }


def outcomes(found: object) -> dict[str, type[Outcome]]:
    assert isinstance(found, Outcomes)
    return {one.id: type(one) for one in found.outcomes}


def test_rows_are_matched_by_their_key_whatever_their_order() -> None:
    assert outcomes(bulk.told(TWO, files(["c-2"], ["c-1"]))) == {"c-2": Delivered, "c-1": Rejected}
    assert outcomes(bulk.told(TWO, files([], ["c-2"], ["c-1"]))) == {"c-2": Rejected, "c-1": Failed}


def test_a_record_that_no_file_names_is_told_by_nobody() -> None:
    """I5."""
    assert outcomes(bulk.told(TWO, files(["c-2"]))) == {"c-2": Delivered}


@pytest.mark.parametrize("said", [files(["c-1", "c-1"]), files(["c-1"], ["c-1"]), files(["c-3"])])
def test_a_row_of_a_stranger_or_of_one_who_was_told_is_believed_of_none(said: dict[str, list[dict[str, str]]]) -> None:
    with pytest.raises(KeyError):
        bulk.told(TWO, said)


def test_files_that_name_nobody_leave_the_job_in_doubt() -> None:
    """I5: what a job did not come to stands in a file of its own."""
    told = bulk.told(TWO, files())

    assert told == Unavailable("job_failed", "the job ended, and its files name no record", applied_unknown=True)


@pytest.mark.parametrize(
    ("written", "outcome"),
    [
        (
            "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
            Rejected("c-1", "required_field_missing", "`LastName` is missing: map it, or fill it at the source"),
        ),
        ("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record:--", Failed),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:T: UNABLE_TO_LOCK_ROW, 4711:--", Failed),
        ("DUPLICATE_VALUE:duplicate value found: 4711:Email, Ext_Key__c --", Rejected),
        ("4711 Main St", Rejected),
        ("", Rejected),
    ],
)
def test_an_error_of_a_row_says_what_calls_say(written: str, outcome: Any) -> None:
    said = files(["c-2"], ["c-1"])
    said["failedResults"][0]["sf__Error"] = written

    found = bulk.told(TWO, said)

    assert isinstance(found, Outcomes)
    assert found.outcomes[1] == outcome if isinstance(outcome, Rejected) else isinstance(found.outcomes[1], outcome)
    assert "4711" not in repr(found)


@pytest.mark.parametrize(
    ("state", "means"),
    [
        ("Open", Running),
        ("UploadComplete", Running),
        ("InProgress", Running),
        ("JobComplete", None),
        ("Failed", None),
        ("Aborted", None),
    ],
)
def test_a_job_runs_or_has_ended(state: str, means: type | None) -> None:
    found = bulk.state(httpx.Response(200, json={"state": state}))

    assert found is None if means is None else isinstance(found, means)


def test_a_state_that_nobody_knows_is_asked_for_again() -> None:
    with pytest.raises(ValueError, match="runs or has ended"):
        bulk.state(httpx.Response(200, json={"state": "Paused"}))


def test_a_page_in_place_of_a_file_is_no_empty_file() -> None:
    """D4: an empty file of failures would let every record count as nothing."""
    with pytest.raises(ValueError, match="CSV"):
        bulk.rows_of(httpx.Response(200, html="<title>Sign in</title>"))


def test_a_day_without_jobs_waits() -> None:
    refusal = [{"errorCode": "EXCEEDED_MAX_BATCHES", "message": "4711"}]
    wire = httpx.MockTransport(lambda _request: httpx.Response(400, json=refusal))
    large = replace(batch(Op.UPSERT, {"c-1": {}}, key="Ext_Key__c"), plan_records=10_000)

    assert send(adapter(login={"token": "t"}), large, wire) == Throttled(DAILY_PAUSE)


def test_an_id_that_could_lead_elsewhere_is_not_followed() -> None:
    large = replace(batch(Op.UPSERT, {"c-1": {}}, key="Ext_Key__c"), plan_records=10_000)
    wire = httpx.MockTransport(lambda _request: httpx.Response(200, json={"id": "../../limits?"}))

    assert isinstance(send(adapter(login={"token": "t"}), large, wire), Unavailable | Stop)
