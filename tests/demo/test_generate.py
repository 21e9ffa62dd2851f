"""The demo's data is the same everywhere, and has what makes data hard."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from config.demo.generate import CONSENT_FILE, CUSTOMERS_FILE, shop, write
from tests.demo.arithmetic import agreed, contacts, expected

LATER = datetime(2150, 1, 1, tzinfo=UTC)


def test_the_data_is_the_same_on_every_machine() -> None:
    digests = [hashlib.sha256(repr(shop(version)).encode()).hexdigest()[:16] for version in (1, 2)]

    assert digests == ["dd502d1b1b5042c1", "e61a5828c28bd384"]


def test_consent_means_the_same_whenever_the_demo_runs() -> None:
    for version in (1, 2):
        assert agreed(shop(version), datetime.now(UTC)) == agreed(shop(version), LATER)


def test_the_second_state_has_every_kind_of_change() -> None:
    first, second = shop(1), shop(2)
    held, wanted = contacts(first, LATER), contacts(second, LATER)
    counts = expected(held, wanted, len(second.customers))
    before, after = ({c.customer_id: c for c in state.customers} for state in (first, second))
    left = before.keys() - after.keys()
    changed = {id for id in before.keys() & after.keys() if before[id] != after[id]}

    assert min(counts.inserts, counts.updates, counts.deletes, len(left)) >= 20
    assert len(changed) > 2 * counts.updates, "most changes are in columns that no destination gets"
    assert any(id not in left for id in map(int, held.keys() - wanted.keys())), "somebody withdrew and stayed"
    assert any(id in before for id in map(int, wanted.keys() - held.keys())), "somebody who was there agreed"


def test_hard_values_survive_the_way_to_parquet(tmp_path: Path) -> None:
    write(shop(1), tmp_path)

    customers = pq.read_table(tmp_path / CUSTOMERS_FILE).to_pylist()
    decisions = pq.read_table(tmp_path / CONSENT_FILE).to_pylist()

    assert [tuple(row.values()) for row in customers] == [
        tuple(getattr(c, field) for field in c.__slots__) for c in shop(1).customers
    ]
    assert len({row["receipt_id"] for row in decisions}) == len(decisions)
    text = "".join(row["first_name"] for row in customers)
    assert all(hard in text for hard in ("é", "🌊", "'", '"', "\\", "ل"))
    assert {None} < {row["email"] for row in customers}
