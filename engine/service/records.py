"""One record of a sync: what the destination holds of it, what it should hold, what the next run would do, and its story."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from engine.core.desired import FIELD
from engine.core.names import VersionNumber
from engine.core.quarantine import LEFT_ALONE
from engine.core.state import DROPPED, FACTS
from engine.errors import ConfigurationError
from engine.ledger.projections import versions
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.plans import shown_fields
from engine.service.samples import masked
from engine.steps.aim import unfit_version
from engine.steps.dropped_plans import gone_of
from engine.steps.facts import Sync
from engine.steps.past import held_rows, state_at
from engine.steps.record_state import Past, RecordState, record_state
from engine.steps.story import (
    Chapter,
    consent_chapters,
    forgotten_chapters,
    planned_rows,
    run_chapters,
    unkept_chapters,
    version_chapters,
)

FORGOTTEN = "forgotten"
_BEFORE = timedelta(microseconds=1)
_NOWHERE = RecordState({}, {}, {"verdict": "absent", "reason": ""})
_UNDATED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One thing that happened to a record, as `engine.steps.story.Chapter` has it; ``at`` is empty where nobody knows when."""

    at: str
    kind: str
    what: str
    version: int | None
    run: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordReport:
    """``verdict`` is what a comparison says: send, unchanged, unconsented, quarantined, row quarantined, in doubt or absent.

    It is ``forgotten`` of somebody who asked to be. ``at`` is the moment that is told of, and empty for now; then ``wanted``
    is of the ``version`` of that moment, and consent is today's. ``story`` is told oldest first; of what was planned before
    ``kept_since`` it has no more than the last sending. That is empty where every plan is kept.
    """

    sync: str
    id: str
    holds: bool
    desired: bool
    unknown: bool
    owed: bool
    attempts: int
    delivered: Mapping[str, str | None]
    wanted: Mapping[str, str | None]
    verdict: str
    reason: str
    at: str = ""
    version: int | None = None
    kept_since: str = ""
    story: tuple[StoryLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment to look back to, and the newest version that was accepted by then."""

    at: datetime
    version: VersionNumber | None


def show_record(app: App, name: str, key: str, moment: Moment | None = None) -> RecordReport:
    """The record with match key ``key``; raises `ConfigurationError` when nobody ever knew it."""
    sync = app.sync(name)
    with app.tools.compute.session() as session:
        past = None if moment is None else _past(app, session, sync, moment)
        fits = past is None or past.version is None or unfit_version(app.tools, sync, past.version) is None
        found = record_state(app.tools, session, sync, key, past) if fits else None
        story = _story(app, session, sync, key, found)
    if moment is not None:
        story = [chapter for chapter in story if chapter.at is None or chapter.at <= moment.at]
    if found is None and not story:
        raise unknown_record(name)
    report = _report(sync, key, found or _NOWHERE, story, moment)
    since = gone_of(app.tools, sync.id).since
    return report if since is None else replace(report, kept_since=since.isoformat())


def moment_of(app: App, name: str, at: datetime | None, version: int | None) -> Moment | None:
    """The moment to look back to: ``at``, or the last one at which ``version`` was the newest; None for now."""
    dataset = app.sync(name).dataset
    listed = list(versions.listing(app.tools.database, dataset.id))
    if version is not None:
        if all(row.version != version for row in listed):
            raise ConfigurationError(
                f"There is no version {version} of {dataset.id}",
                safe="Nothing was changed.",
                next=f"`tidegate versions {dataset.id.split('@')[0]}` lists them",
            )
        following = next((row.recorded_at for row in listed if row.version == version + 1), None)
        return Moment(following - _BEFORE if following else app.tools.clock.now(), VersionNumber(version))
    if at is None:
        return None
    known = [row.version for row in listed if row.recorded_at <= at]
    return Moment(at, max(known, default=None))


def _past(app: App, session: Session, sync: Sync, moment: Moment) -> Past:
    state = state_at(app.tools, session, sync, moment.at)
    nothing = session.rows(ibis.schema(FACTS).to_pyarrow().empty_table())
    return Past(moment.version, nothing if state is None else session.cached(held_rows(state)))


def _story(app: App, session: Session, sync: Sync, key: str, found: RecordState | None) -> list[Chapter]:
    tools = app.tools
    planned = planned_rows(tools, session, sync, key)
    rows = [one.planned for one in planned] + ([found.wanted, found.held] if found else [])
    pks = list(dict.fromkeys(row["pk"] for row in rows if row.get("pk")))
    subjects = list(dict.fromkeys(row["subject"] for row in rows if row.get("subject")))
    chapters = [chapter for one in planned for chapter in run_chapters(tools, one)]
    chapters += unkept_chapters(tools, session, sync, key)
    chapters += version_chapters(tools, session, sync, pks)
    chapters += consent_chapters(tools, session, sync, subjects)
    chapters += forgotten_chapters(tools, [key, *pks, *subjects])
    return sorted(chapters, key=lambda chapter: chapter.at or _UNDATED)


def _report(sync: Sync, key: str, found: RecordState, story: list[Chapter], moment: Moment | None) -> RecordReport:
    shown, attempts = shown_fields(sync), found.held.get("attempts", 0)
    is_forgotten = any(chapter.kind == FORGOTTEN for chapter in story)
    return RecordReport(
        sync=sync.id,
        id=key,
        holds=found.held.get("acked", False),
        desired=bool(found.judged.get("verdict") in {"send", "unchanged", "quarantined", "in doubt"} and found.wanted),
        unknown=found.held.get("unknown", False),
        owed=found.held.get("owed", False),
        attempts=max(0, attempts),
        delivered=masked(_fields(found.held), shown),
        wanted=masked(_fields(found.wanted), shown),
        verdict=FORGOTTEN if is_forgotten else found.judged["verdict"],
        reason=_reason(found.judged, attempts),
        at=moment.at.isoformat() if moment else "",
        version=moment.version if moment else None,
        story=tuple(_line(chapter) for chapter in story),
    )


def _line(chapter: Chapter) -> StoryLine:
    at = chapter.at.isoformat() if chapter.at else ""
    return StoryLine(at, chapter.kind, chapter.what, chapter.version, chapter.run, chapter.changed)


def _reason(judged: Mapping[str, Any], attempts: int) -> str:
    if judged["verdict"] == "send":
        return str(judged["reason"])
    if judged["verdict"] == LEFT_ALONE:
        return "a rule of the contract sets its row aside: `tidegate quarantine list DATASET` says which"
    if judged["verdict"] == "in doubt":
        return "nobody knows whether the destination has it; it waits for a decision"
    return "given up until its values change" if judged["verdict"] == "quarantined" and attempts == DROPPED else ""


def unknown_record(sync: str) -> ConfigurationError:
    """What to say of a key that nobody knows."""
    return ConfigurationError(
        f"Neither a version nor the destination has, or ever had, a record with this key in {sync}",
        safe="Nothing was changed.",
        next="give the match key as the destination knows it, as text",
    )


def _fields(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {c.removeprefix(FIELD): v for c, v in row.items() if c.startswith(FIELD)}
