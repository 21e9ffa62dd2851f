"""What drills break, and how it is mended: a table of failures that the sandbox, or real files, can have."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from config.demo.generate import CUSTOMERS_FILE
from engine.service.demo_sandbox import DemoSandbox
from engine.service.scaffold import DATA

KEY = "42"
"""A customer who agrees, by the match key."""
_STATE = Path(".tidegate")
_SYNC_FILE = Path("syncs/customers_to_crm.yaml")
WRONG = "(wrong)"
"""What the bad version writes behind each city."""
_FEWER = 0.8
_HALF = 0.4


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a drill takes place: a project of its own, and the sandbox that it delivers to."""

    folder: Path
    sandbox: DemoSandbox

    @property
    def customers(self) -> Path:
        return self.folder / DATA / CUSTOMERS_FILE

    def kept(self, path: Path) -> Path:
        """Where the right content of a file is kept until it is mended."""
        return self.folder / f"{path.name}.kept"


Act = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """``breaks`` before or ``after`` a first good run; ``mends`` is what somebody else does before the step Repair.

    ``is_noticed_by_run`` is false where every run ends well, and only a person's look finds what is wrong.
    """

    breaks: Act
    mends: Act
    after_a_run: bool = True
    is_noticed_by_run: bool = True
    removes: int = 0
    """Records that the destination must have lost in the end."""
    keeps_bad_source: bool = False
    """The source is still wrong at the end, and its runs are refused until it is mended."""


def _faulty(*faults: Mapping[str, object]) -> Act:
    return lambda stage: stage.sandbox.switch(list(faults))


def _well(stage: Stage) -> None:
    stage.sandbox.switch([])


def _nothing(_: Stage) -> None:
    """There is nothing outside to mend: the page's own commands do."""


def _poison(stage: Stage) -> None:
    with (stage.folder / _SYNC_FILE).open("a", encoding="utf-8") as file:
        file.write("rejects: {max_attempts: 1, stop_ratio: 1.0}\n")
    stage.sandbox.switch([{"kind": "reject", "ids": [KEY], "code": "bad_value"}])


def _source(change: Callable[[pa.Table], pa.Table]) -> Act:
    def breaks(stage: Stage) -> None:
        shutil.copy(stage.customers, stage.kept(stage.customers))
        pq.write_table(change(pq.read_table(stage.customers)), stage.customers)

    return breaks


def _source_again(stage: Stage) -> None:
    shutil.move(stage.kept(stage.customers), stage.customers)


def _first(share: float) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.slice(0, int(table.num_rows * share))


def _in_nowhere(table: pa.Table) -> pa.Table:
    """Every city that is known is another one, which no rule of the demo's contract forbids."""
    place = table.schema.get_field_index("city")
    wrong = pc.binary_join_element_wise(table["city"], WRONG, "")
    return table.set_column(place, "city", wrong)


def _without_source(stage: Stage) -> None:
    shutil.move(stage.customers, stage.kept(stage.customers))


def _older_ledger(stage: Stage) -> None:
    """The copy of before anything was delivered: as after a restore of an old backup."""
    ledger = stage.folder / _STATE / "ledger.db"
    shutil.move(ledger, stage.kept(ledger))


def _newer_ledger(stage: Stage) -> None:
    ledger = stage.folder / _STATE / "ledger.db"
    shutil.move(stage.kept(ledger), ledger)


def _without_storage(stage: Stage) -> None:
    """A file stands where the folder was, so that nothing can be read or written below it."""
    segments = stage.folder / _STATE / "segments"
    shutil.move(segments, stage.kept(segments))
    segments.touch()


def _storage_again(stage: Stage) -> None:
    segments = stage.folder / _STATE / "segments"
    segments.unlink()
    shutil.move(stage.kept(segments), segments)


FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        "destination-outage": Failure(_faulty({"kind": "error_before", "status": 503}), _well, after_a_run=False),
        "poison-records": Failure(_poison, _well, after_a_run=False),
        "mass-delete-block": Failure(_source(_first(_FEWER)), _source_again),
        "contract-drift": Failure(_source(lambda table: table.drop_columns(["email"])), _source_again),
        "stale-source": Failure(_without_source, _source_again),
        "partial-load": Failure(_source(_first(_HALF)), _source_again),
        "ledger-unreachable": Failure(_older_ledger, _newer_ledger),
        "disk-full": Failure(_without_storage, _storage_again),
        "bad-version-delivered": Failure(
            _source(_in_nowhere), _nothing, is_noticed_by_run=False, keeps_bad_source=True
        ),
        "consent-incident": Failure(_nothing, _nothing, is_noticed_by_run=False, removes=1),
    }
)
"""The runbooks that can be drilled, and the failure of each."""
