"""`tidegate schedule` and `status` say when syncs are due next, as the daemon will see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.projects import TestProject
from tests.receiver import Receiver


def test_the_next_moments_of_a_sync_are_shown(project: TestProject, receiver: Receiver) -> None:
    project.sync("people_to_hook", schedule={"cron": "30 9 * * *", "timezone": "Asia/Kathmandu"})
    project.sync("people_after", object="after", schedule={"after": "dataset"})
    project.sync("people_by_hand", object="by_hand")

    after, timed = project.run("--json", "schedule", "--next", "3").json
    moments = [datetime.fromisoformat(moment) for moment in timed["next"]]

    assert (timed["sync"], timed["schedule"], timed["overlap"]) == (
        "people_to_hook",
        "cron 30 9 * * * Asia/Kathmandu",
        "coalesce",
    )
    assert timedelta(0) < moments[0] - datetime.now(UTC) <= timedelta(days=1)
    assert moments == [moments[0] + n * timedelta(days=1) for n in range(3)]
    assert all(f"{moment:%H:%M}" == "03:45" for moment in moments)
    assert (after["sync"], after["schedule"], after["next"]) == ("people_after", "after people@1", [])
    assert len(project.run("--json", "schedule", "people_to_hook").json[0]["next"]) == 10

    found = {one["sync"]: one["next_run"] for one in project.run("--json", "status").json}
    assert found == {"people_after": "after people@1", "people_by_hand": "", "people_to_hook": timed["next"][0]}
    assert " next" in project.run("status").out
    assert "30 9 * * * Asia/Kathmandu" in project.run("schedule").out


def test_where_nothing_has_a_schedule_the_way_to_one_is_shown(project: TestProject, receiver: Receiver) -> None:
    said = project.run("schedule").out

    assert "No sync has a schedule." in said
    assert "every: 10m" in said
    assert " next" not in project.run("status").out


def test_syncs_that_would_set_each_other_off_for_ever_are_refused(project: TestProject, receiver: Receiver) -> None:
    project.write("datasets/others.yaml", {**OTHERS, "name": "others"})
    project.sync("people_to_hook", schedule={"after": "others"})
    project.sync("others_to_hook", dataset="others@1", object="others", schedule={"after": "people"})

    refused = project.run("validate")

    assert refused.code == 2
    assert "syncs/others_to_hook.yaml" in refused.out
    assert "each other" in refused.out


OTHERS = {"contract": "contracts/people-v1.odcs.yaml", "source": {"connection": "lake", "table": "people.parquet"}}
