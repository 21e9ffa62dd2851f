"""Proof of a run's consent, from stored facts: every upsert that was delivered, and the decision that allowed it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.core.names import RunId
from engine.errors import ConfigurationError
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.owner_only import make_folder
from engine.segments.compute import ORDINAL
from engine.segments.digest import content_digest
from engine.service.app import App
from engine.service.samples import MASK, is_id_shown
from engine.steps.evidence import rested_on, run_evidence

KEYS_SHOWN_MAX = 20
RUNS_LOOKED_AT_MAX = 200


@dataclass(frozen=True, slots=True)
class ConsentProof:
    """What a run delivered and how much of it is proven, by decisions as of ``at``.

    ``unproven`` upserts have no standing grant in the registers of then, or not those that were kept with them;
    ``keys`` are the first of them. ``forgotten`` ones were about people who were erased since: nothing that could prove
    them is kept. ``evidence`` is a digest over every upsert in order, its key, its subject and the
    decisions that were kept with it: who repeats the report gets the same.
    """

    sync: str
    run: str
    plan: str
    digest: str
    version: int
    asks: str
    at: str
    registers: Mapping[str, int]
    upserts: int
    proven: int
    unproven: int
    forgotten: int
    removals: int
    withheld: int
    keys: tuple[str, ...]
    evidence: str


def consent_report(app: App, name: str, run: str | None) -> ConsentProof:
    """The proof of ``run``, or of the newest run of the sync that delivered something.

    Raises `ConfigurationError` when there is no such run, or nobody's consent was asked by it.
    """
    sync = app.sync(name)
    row = _chosen(app, name, run)
    make_folder(app.scratch)
    with app.tools.compute.session() as session, tempfile.TemporaryDirectory(dir=app.scratch) as folder:
        rested = rested_on(app.tools, session, row.run)
        found = run_evidence(app.tools, session, sync, rested) if rested is not None else None
        if rested is None or found is None:
            raise _nothing_to_prove(row.run)
        file = Path(folder) / "evidence.parquet"
        evidence = found.upserts.order_by(ORDINAL).select("id", "op", "subject", "_kept")
        session.write(evidence.fill_null({"_kept": "", "subject": ""}), file)
        counted = {
            what: int(session.single(table.aggregate(n=table.count()))["n"])
            for what, table in (("upserts", found.upserts), ("without", found.unproven), ("unlike", found.unlike))
        }
        bad = session.cached(found.unproven.select("id").union(found.unlike.select("id"), distinct=True))
        unproven = int(session.single(bad.aggregate(n=bad.count()))["n"])
        shown = is_id_shown(sync.mapping)
        keys = [row["id"] if shown else MASK for row in session.fetch(bad.order_by("id").limit(KEYS_SHOWN_MAX))]
        planned = rested.planned
        return ConsentProof(
            sync=name,
            run=row.run,
            plan=planned.plan,
            digest=planned.digest,
            version=planned.version,
            asks=str(rested.rule),
            at=rested.at.isoformat(),
            registers=dict(planned.registers),
            upserts=counted["upserts"] + found.forgotten,
            proven=counted["upserts"] - unproven,
            unproven=unproven,
            forgotten=found.forgotten,
            removals=found.removals,
            withheld=found.withheld,
            keys=tuple(keys),
            evidence=content_digest(file, ["id", "op", "subject", "_kept"]),
        )


def _chosen(app: App, name: str, run: str | None) -> RunRow:
    if run is not None:
        row = runs.get(app.tools.database, RunId(run))
        if row is not None and row.sync == name:
            return row
        raise ConfigurationError(
            f"There is no run {run} of {name}", safe="Nothing was changed.", next=f"`tidegate runs {name}` lists them"
        )
    for row in runs.listing(app.tools.database, app.sync(name).id, RUNS_LOOKED_AT_MAX):
        if row.segment is not None and row.delivered_inserts + row.delivered_updates + row.delivered_deletes:
            return row
    raise ConfigurationError(
        f"No run of {name} has delivered anything yet", safe="Nothing was changed.", next=f"`tidegate run {name}`"
    )


def _nothing_to_prove(run: str) -> ConfigurationError:
    return ConfigurationError(
        f"Run {run} sent nothing for which consent was asked, or was made by a version that did not keep what it asked",
        safe="Nothing was changed.",
        next="name another run with --run; `tidegate runs` lists them",
    )
