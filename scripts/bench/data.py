"""The benchmark's customers: 12 columns, and a second version with 1.0 % updated, 0.2 % deleted, 0.3 % inserted."""

from __future__ import annotations

from pathlib import Path

import duckdb

UPDATED_EVERY, DELETED_EVERY, INSERTED_SHARE = 100, 500, 0.003

_ROWS = """
SELECT i::BIGINT AS customer_id,
       'user' || i || '@example' || (i % 50) || '.com' AS email,
       'First' || (hash(i) % 5000) AS first_name,
       'Last' || (hash(i + 1) % 20000) AS last_name,
       '+4479' || lpad((hash(i + 2) % 100000000)::VARCHAR, 8, '0') AS phone,
       ['GB', 'DE', 'FR', 'US', 'NL'][1 + (hash(i + 3) % 5)::INT] AS country,
       'City' || (hash(i + 4) % 3000) AS city,
       ({updated} + (hash(i + 5) % 1000000) / 100.0)::DECIMAL(12, 2) AS lifetime_value,
       (hash(i + 6) % 200)::BIGINT AS orders,
       DATE '2015-01-01' + (hash(i + 7) % 3000)::INT AS signup_date,
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds((hash(i + 8) % 30000000)::INT) AS last_seen,
       (hash(i + 9) % 3 = 0) AS opted_in
FROM range(0, {stop}) t(i)
WHERE {kept}
"""

COLUMNS = (
    "email",
    "first_name",
    "last_name",
    "phone",
    "country",
    "city",
    "lifetime_value",
    "orders",
    "signup_date",
    "last_seen",
    "opted_in",
)


def write_versions(rows: int, first: Path, second: Path) -> None:
    """Write both versions as Parquet; deterministic for a number of rows."""
    with duckdb.connect(config={"threads": 2}) as connection:
        _write(connection, first, updated="0", stop=rows, kept="true")
        _write(
            connection,
            second,
            updated=f"CASE WHEN hash(i + 77) % {UPDATED_EVERY} = 0 THEN 1 ELSE 0 END",
            stop=rows + int(rows * INSERTED_SHARE),
            kept=f"NOT (i < {rows} AND hash(i + 78) % {DELETED_EVERY} = 0)",
        )


def _write(connection: duckdb.DuckDBPyConnection, path: Path, *, updated: str, stop: int, kept: str) -> None:
    query = _ROWS.format(updated=updated, stop=stop, kept=kept)
    connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def bare_join(first: Path, second: Path) -> str:
    """The query that finds the same changes with nothing around it: the reference that times are compared with."""
    differs = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in COLUMNS)
    return f"""
        SELECT count(*) FROM read_parquet('{first}') a FULL OUTER JOIN read_parquet('{second}') b USING (customer_id)
        WHERE a.customer_id IS NULL OR b.customer_id IS NULL OR {differs}
    """
