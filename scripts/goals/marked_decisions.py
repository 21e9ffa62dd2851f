"""What people decide in the marked project: about versions, rows that are set aside, lists and people to be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import yaml
from goals.marked_project import ECHOES, KEY, SYNC, echoing, people
from goals.marked_search import Search

from tests.canaries import PERSONAL

ROWS = 40
"""So many that one of them may be set aside."""


def decisions() -> Sequence[Callable[[Search], None]]:
    """What happens, in order; forgetting the marked person comes last."""
    return (_set_aside, _reviewed, _put_back, _listed, _forgotten)


def _rules(search: Search, action: str) -> None:
    """Let a missing country set its row aside, or make the version wait for a person."""
    path = search.project.folder / "contracts/people-v1.odcs.yaml"
    contract = yaml.safe_load(path.read_text(encoding="utf-8"))
    table = contract["schema"][0]
    share = {"property": "tidegate.quarantineMaxRatio", "value": 0.5}
    table["customProperties"] = [share] if action == "quarantine" else []
    rule = {
        "metric": "nullValues",
        "mustBe": 0,
        "customProperties": [{"property": f"tidegate.{action}", "value": True}],
    }
    (column,) = (column for column in table["properties"] if column["name"] == "country")
    column["quality"] = [rule]
    search.project.write("contracts/people-v1.odcs.yaml", contract)


def _bad_row(search: Search) -> None:
    search.project.data(people(rows=ROWS, country=[None, *["FR"] * (ROWS - 1)]))


def _set_aside(search: Search) -> None:
    """The marked row breaks a rule."""
    echoing(search.receiver, None)
    _rules(search, "quarantine")
    _bad_row(search)
    search.both("run", SYNC)
    search.both("gates", "people", "--samples", "100")
    search.both("gates", SYNC, "--samples", "100")
    search.both("quarantine", "list", "people")
    search.both("quarantine", "show", "people", "--key", KEY, allowed=(KEY,))


def _reviewed(search: Search) -> None:
    """The whole version waits, is refused, waits again and is accepted."""
    _rules(search, "review")
    for decision in ("reject", "approve"):
        search.project.data(people(f"{decision}.{PERSONAL['e-mail']}", rows=ROWS, country=[None, *["FR"] * (ROWS - 1)]))
        search.both("run", SYNC)
        for look in (("gates", "people", "--samples", "100"), ("approvals",), ("versions", "people"), ("status",)):
            search.both(*look)
        for waiting in search.project.run("--json", "approvals").json:
            subject = waiting.get("candidate") or waiting.get("run")
            search.both(decision, str(subject), "--comment", "looked at it")
    search.both("run", SYNC)


def _put_back(search: Search) -> None:
    """Back to a version from before, on again, and the newest one withdrawn."""
    newest = max(row["version"] or 0 for row in search.project.run("--json", "versions", "people").json)
    for more in ((), ("--yes",)):
        search.both("rollback", SYNC, "--to", "1", "--reason", "the goal", "--samples", "100", *more)
        search.both("unpin", SYNC, "--reason", "the goal", "--samples", "100", *more)
        search.both("dataset", "withdraw", f"people@{newest}", "--reason", "the goal", "--samples", "100", *more)
    search.both("rollback", SYNC, "--to", str(newest + 7))


def _listed(search: Search) -> None:
    """Lists of people to be left alone: taken, and not taken."""
    dataset = search.project.folder / "datasets/people.yaml"
    content = yaml.safe_load(dataset.read_text(encoding="utf-8"))
    search.project.write("datasets/people.yaml", {**content, "identifiers": {"email": "email", "phone": "phone"}})
    search.project.data(people(rows=ROWS))
    folder = search.project.folder / "bad"
    for number, (kind, values) in enumerate(
        (
            ("email", [PERSONAL["e-mail"]]),
            ("phone", [PERSONAL["telephone"]]),
            ("email", [PERSONAL["wrong value"], PERSONAL["e-mail"]]),
            ("id", [PERSONAL["subject"]]),
        )
    ):
        path = folder / f"list-{number}.csv"
        path.write_text("\n".join([kind, *values]) + "\n", encoding="utf-8")
        search.both("suppress", "import", str(path), "--kind", kind, "--reason", f"for {values[0]}")
        search.both("suppress", "import", str(path), "--kind", kind, "--reason", "the goal")
        search.both("plan", SYNC, "--samples", "100")
    search.both("run", SYNC)
    search.both("gates", SYNC, "--samples", "100")
    search.both("suppress", "list")
    search.both("suppress", "remove", "email", str(folder / "list-0.csv"), "--reason", f"of {PERSONAL['e-mail']}")
    search.both("suppress", "remove", "email", str(folder / "list-0.csv"), "--reason", "the goal")
    search.both("suppress", "remove", "phone", "--reason", "the goal")


def _forgotten(search: Search) -> None:
    """The destination refuses at first, in words that quote the record; then it takes the removal."""
    subject = PERSONAL["subject"]
    search.both("run", SYNC)
    search.both("forget", subject, "--reason", f"{subject} asked")
    echoing(search.receiver, ECHOES[0])
    search.both("forget", subject, PERSONAL["e-mail"], "--reason", "the goal")
    for request in search.project.run("--json", "erasures", "list").json:
        path = search.project.folder / "bad" / f"{request['request']}.json"
        search.both("erasures", "report", request["request"])
        path.write_text(search.project.run("--json", "erasures", "report", request["request"]).out, encoding="utf-8")
        search.both("erasures", "verify", str(path), "--subject", subject)
    echoing(search.receiver, None)
    search.both("erasures", "resume")
    search.both("run", SYNC)
    search.look_around()
