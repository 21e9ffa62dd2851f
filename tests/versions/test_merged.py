"""Changes of old versions stand together in few files, and every version is what it was."""

from __future__ import annotations

import itertools

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.core.canonical import key_text
from engine.core.erasure import ErasureKey
from engine.core.merged import PATIENCE, Change, Patience, to_merge
from engine.core.names import Position, VersionNumber
from engine.core.relations import union
from engine.steps.erase_segments import Versions
from engine.steps.erase_versions import erase_versions
from engine.steps.erased import Erased
from engine.steps.merge import merge_changes
from engine.steps.snapshots import change_tables
from tests.property.effort import PATIENCE as WITHOUT_HURRY
from tests.property.effort import examples
from tests.versions.kept import Kept, Shelf
from tests.versions.test_rebuilding import KEY, TYPES, State, app, assert_reads, capture_all, histories, shelf

FRESH, TOGETHER = PATIENCE.fresh, PATIENCE.together


def chain(
    count: int,
    *,
    merged: tuple[tuple[int, int], ...] = (),
    whole: set[int] | None = None,
    shapes: dict[int, int] | None = None,
) -> list[Change]:
    """The changes of versions 2 to ``count``, some in files together; the newest is whole."""
    files = {n: f"to-{last}" for first, last in merged for n in range(first, last + 1)}
    return [
        Change(VersionNumber(n), files.get(n, str(n)), (shapes or {}).get(n, 0), n == count or n in (whole or set()))
        for n in range(2, count + 1)
    ]


def wanted(changes: list[Change]) -> list[tuple[int, int]]:
    return [(stretch[0].version, stretch[-1].version) for stretch in to_merge(changes, changes[-1].version)]


def test_the_newest_versions_keep_files_of_their_own() -> None:
    settled = TOGETHER + 1
    assert wanted(chain(settled + FRESH - 1)) == []
    assert wanted(chain(settled + FRESH)) == [(2, settled)]


def test_what_was_merged_is_merged_again_with_as_many_more() -> None:
    first = TOGETHER + 1
    assert wanted(chain(first + FRESH + TOGETHER - 1, merged=((2, first),))) == []
    assert wanted(chain(first + FRESH + TOGETHER, merged=((2, first),))) == [(2, first + TOGETHER)]


def test_what_leads_to_a_whole_version_becomes_one_file_however_few_they_are() -> None:
    assert wanted(chain(14, whole={5})) == [(2, 5)]
    assert wanted(chain(14, whole={5}, merged=((2, 5),))) == []
    assert wanted(chain(24, whole={15}, merged=((2, 11),))) == [(2, 15)]


def test_versions_of_other_columns_stay_apart() -> None:
    shapes = dict.fromkeys(range(12, 40), 1)
    assert wanted(chain(39, shapes=shapes)) == [(2, 11), (12, 34)]


def test_versions_that_do_not_follow_one_another_stay_apart() -> None:
    changes = [change for change in chain(40) if change.version not in {10, 11}]
    assert wanted(changes) == [(2, 9), (12, 35)]


def test_a_file_that_stands_on_both_sides_of_a_gap_is_left_alone() -> None:
    changes = [change for change in chain(40, merged=((5, 20),)) if change.version not in {10, 11}]
    assert wanted(changes) == [(2, 4), (21, 35)]


AT_ONCE = Patience(fresh=0, together=2)
ERASURE = ErasureKey(b"a key of a test")
SUBJECT = "name"
__all__ = ["app", "shelf"]


def held(**names: str) -> State:
    """Rows that have a name and nothing else."""
    row = dict.fromkeys(TYPES.names[len(KEY) :])
    return State({(area, 0): {**row, SUBJECT: name} for area, name in names.items()}, has_added=False)


REUSED = [
    held(k="null", s="null"),
    held(k="a", s="a"),
    held(k="a"),
    held(k="a", n="null"),
    held(k="null", s="null", n="null"),
]
"""Two keys that were somebody else's before and are again; the one who is forgotten left one of them in between."""


def changed(kept: Kept, count: int) -> dict[tuple[int, int], set[str]]:
    """Between any two versions, the keys that are said to have changed."""
    found = {}
    with kept.tools.compute.session() as session:
        for after, last in itertools.combinations(range(1, count + 1), 2):
            tables = change_tables(kept.tools, session, kept.id, VersionNumber(after), VersionNumber(last))
            pks = union(*(table.select(pk=key_text([table[c] for c in KEY])) for table in tables), distinct=True)
            found[after, last] = {row["pk"] for row in session.fetch(pks)}
    return found


@pytest.mark.slow
@WITHOUT_HURRY
@examples(6)
@given(history=histories, whole=st.sets(st.integers(2, 6), max_size=2), turns=st.sets(st.integers(2, 6)))
def test_every_version_and_every_difference_is_as_before_however_changes_were_merged(
    shelf: Shelf, history: list[State], whole: set[int], turns: set[int]
) -> None:
    kept = shelf.dataset()
    made = capture_all(kept, history)
    numbers = range(1, len(made) + 1)
    before = changed(kept, len(made))
    for number in numbers[1:-1]:
        if number not in whole:
            kept.forget(number)

    for fresh in (*sorted((len(made) - turn for turn in turns if turn < len(made)), reverse=True), 0):
        merge_changes(kept.tools, kept.id, Patience(fresh, 2))
        assert_reads(kept, numbers, made)
    for number in numbers[1:]:
        kept.forget(number)

    assert_reads(kept, numbers, made)
    assert changed(kept, len(made)) == before


@pytest.mark.slow
@WITHOUT_HURRY
@examples(3)
@example(history=REUSED)
@given(history=histories)
def test_who_is_forgotten_is_taken_out_of_merged_changes_as_out_of_others(shelf: Shelf, history: list[State]) -> None:
    plain, merged = shelf.dataset(), shelf.dataset()
    counts = {len(capture_all(kept, history)) for kept in (plain, merged)}
    numbers = range(1, counts.pop() + 1)
    for number in numbers[1:]:
        plain.forget(number)
        merged.forget(number)
    merge_changes(merged.tools, merged.id, AT_ONCE)

    marks = tuple(ERASURE.tombstone(name) for name in ("a", "\u00e9"))
    for kept in (plain, merged):
        found = Versions(kept.id, (SUBJECT,), KEY, ())
        erase_versions(kept.tools, Erased(Position(1), ERASURE, marks), found)

    assert merged.tables(numbers) == plain.tables(numbers)
    for path in merged.tools.storage.paths(f"datasets/{merged.id}"):
        with merged.tools.storage.reading_path(path) as local:
            assert not set(pq.read_table(local)[SUBJECT].to_pylist()) & {"a", "\u00e9"}
