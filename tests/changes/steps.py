"""What a case may change between the first run and the second: data, files and the register, in words of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from tests.changes.bases import NOW, PEOPLE, CorpusProject, customers, decisions
from tests.receiver import Answer, Receiver

Change = Callable[[pa.Table, Any], pa.Table]


def changed(project: CorpusProject, case: dict[str, Any]) -> None:
    """Apply everything that a case names."""
    table = customers()
    for step in case.get("source", ()):
        ((verb, argument),) = step.items()
        table = SOURCE[verb](table, argument)
    project.source(table)
    if file := case.get("file"):
        _broken_file(project, file)
    if "register" in case:
        _register(project, case["register"])
    for name, patch in case.get("files", {}).items():
        path = project.folder / name
        old = yaml.safe_load(path.read_text()) if path.exists() else {}
        project.write(name, merged(old, patch))
    for column, patch in case.get("columns", {}).items():
        _patched_column(project, column, patch)


def while_sending(
    project: CorpusProject, receiver: Receiver, case: dict[str, Any]
) -> Callable[[dict[str, Any]], Answer | None]:
    """What happens outside while the run waits for the answer to its first call."""
    command, ends = case.get("during"), case.get("ends")
    until = datetime.now(UTC) + timedelta(seconds=ends["seconds"]) if ends else None
    if ends:
        _import(project, {"subject": ends["subject"], "status": "granted", "expires_at": until})

    def answer(_body: dict[str, Any]) -> Answer | None:
        if len(receiver.journal) == 0 and command:
            assert project.run(*command).code == 0
        if len(receiver.journal) == 0 and until is not None:
            time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        return None

    return answer


def _import(project: CorpusProject, decision: dict[str, Any]) -> None:
    table = pa.table({name: [value] for name, value in {"purpose": "email", **decision}.items()})
    pq.write_table(table, project.folder / "decision.parquet")
    assert project.run("consent", "import", str(project.folder / "decision.parquet")).code == 0


def merged(old: Any, patch: Any) -> Any:
    """``patch`` over ``old``: mappings key by key, a null takes a key away, anything else takes the old one's place."""
    if not isinstance(old, dict) or not isinstance(patch, dict):
        return patch
    result = {key: value for key, value in old.items() if patch.get(key, "") is not None}
    return {**result, **{k: merged(old.get(k), v) for k, v in patch.items() if v is not None}}


def _patched_column(project: CorpusProject, column: str, patch: Any) -> None:
    path = project.folder / "contracts/customers-v1.odcs.yaml"
    contract = yaml.safe_load(path.read_text())
    properties = contract["schema"][0]["properties"]
    if patch is None:
        properties[:] = [p for p in properties if p["name"] != column]
    elif any(p["name"] == column for p in properties):
        properties[:] = [merged(p, patch) if p["name"] == column else p for p in properties]
    else:
        properties.append({"name": column, **patch})
    project.write("contracts/customers-v1.odcs.yaml", contract)


def _register(project: CorpusProject, change: Any) -> None:
    path = project.folder / "data/register.parquet"
    if change == "gone":
        path.unlink()
    elif change == "garbage":
        path.write_bytes(b"subject,status\n1,granted\n")
    elif change == "empty":
        project.data(decisions().slice(0, 0), "register.parquet")
    elif isinstance(change, dict) and "keep" in change:
        project.data(decisions().slice(0, change["keep"]), "register.parquet")
    else:
        project.data(decisions(*change), "register.parquet")


def _broken_file(project: CorpusProject, how: str) -> None:
    path = project.folder / "data/customers.parquet"
    whole = path.read_bytes()
    match how:
        case "gone":
            path.unlink()
        case "footerless":
            path.write_bytes(whole[: len(whole) // 2])
        case "wrong magic":
            path.write_bytes(b"PARQ" + whole[4:-4] + b"PARQ")
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"not a table at all\n" * 10)
        case _:
            raise AssertionError(how)


def _rows(table: pa.Table, which: Any) -> pa.Array:
    """A mask: all rows, the first so many, or those of some ids."""
    ids = table["id"]
    if which == "all":
        return pa.array([True] * len(table))
    if isinstance(which, int):
        return pa.array([place < which for place in range(len(table))])
    return pc.is_in(ids, pa.array(which, ids.type)).combine_chunks()


def _set(table: pa.Table, argument: dict[str, Any]) -> pa.Table:
    """``{column: …, to: …, of: all | count | [ids]}``; ``each`` instead of ``to`` puts the row's id into a text."""
    name, mask = argument["column"], _rows(table, argument.get("of", "all"))
    kind = table.schema.field(name).type
    ids = table["id"].to_pylist()
    if "each" in argument:
        values = pa.array([argument["each"].format(id=id) for id in ids], kind)
    elif "size" in argument:
        values = pa.repeat(pa.scalar("x" * argument["size"], kind), len(table))
    elif "days" in argument:
        values = pa.array([NOW + timedelta(days=argument["days"])] * len(table), kind)
    else:
        value = argument["to"]
        scalar = pa.scalar(value).cast(kind) if value is not None else pa.scalar(None, kind)
        values = pa.repeat(scalar, len(table))
    column = pc.if_else(mask, values, table[name].combine_chunks())
    return table.set_column(table.schema.get_field_index(name), pa.field(name, kind), column)


def _cast(table: pa.Table, argument: dict[str, str]) -> pa.Table:
    for name, kind in argument.items():
        place = table.schema.get_field_index(name)
        column = table[name].cast(KINDS[kind])
        table = table.set_column(place, pa.field(name, column.type), column)
    return table


KINDS: dict[str, pa.DataType] = {
    "int32": pa.int32(),
    "string": pa.string(),
    "large_string": pa.large_string(),
    "double": pa.float64(),
    "date": pa.date32(),
    "milliseconds": pa.timestamp("ms", "UTC"),
    "seconds": pa.timestamp("s", "UTC"),
    "naive": pa.timestamp("us"),
    "berlin": pa.timestamp("us", "Europe/Berlin"),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "decimal(12,4)": pa.decimal128(12, 4),
    "decimal(20,2)": pa.decimal128(20, 2),
}


def _add(table: pa.Table, count: int) -> pa.Table:
    more = customers(PEOPLE + count).slice(PEOPLE)
    return pa.concat_tables([table, more.select(table.schema.names).cast(table.schema)])


def _repeat(table: pa.Table, ids: list[int]) -> pa.Table:
    return pa.concat_tables([table, table.filter(_rows(table, ids))])


def _rewritten(table: pa.Table, options: dict[str, Any]) -> pa.Table:
    """Through a Parquet file of other options, which must not matter."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **options)
    return pq.read_table(pa.BufferReader(sink.getvalue()))


def _with(table: pa.Table, names: list[str]) -> pa.Table:
    for name in names:
        table = table.append_column(name, pa.array(["x"] * len(table)))
    return table


SOURCE: dict[str, Change] = {
    "keep": lambda table, count: table.slice(0, count),
    "drop": lambda table, ids: table.filter(pc.invert(_rows(table, ids))),
    "add": _add,
    "repeat": _repeat,
    "set": _set,
    "cast": _cast,
    "rename": lambda table, names: table.rename_columns([names.get(n, n) for n in table.schema.names]),
    "without": lambda table, names: table.drop_columns(names),
    "with": _with,
    "order": lambda table, by: table.sort_by(by),
    "columns": lambda table, _: table.select(table.schema.names[::-1]),
    "shift": lambda table, by: table.set_column(0, pa.field("id", pa.int64()), pc.add(table["id"], by)),
    "rewrite": _rewritten,
}
