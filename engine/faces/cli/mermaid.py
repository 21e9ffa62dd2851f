"""Lineage as a Mermaid flow chart, for pages of documentation that draw one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.core.lineage import ColumnLineage, DatasetLineage, Known, Role


def mermaid(datasets: Iterable[DatasetLineage]) -> str:
    """From source columns through dataset columns and syncs to fields, left to right."""
    chart = _Chart()
    lines = ["flowchart LR", *(f"  {line}" for dataset in datasets for line in _lines(chart, dataset))]
    return "\n".join(lines) + "\n"


class _Chart:
    """The nodes that were drawn, each under a name that any text can be behind."""

    def __init__(self) -> None:
        self._nodes: dict[str, str] = {}

    def node(self, label: str) -> str:
        """A node as it stands in a line: with its label where it comes first."""
        if label in self._nodes:
            return self._nodes[label]
        self._nodes[label] = f"n{len(self._nodes) + 1}"
        return f'{self._nodes[label]}["{_escaped(label)}"]'


def _lines(chart: _Chart, dataset: DatasetLineage) -> Iterator[str]:
    for column in dataset.columns:
        here = f"{dataset.dataset} {column.column}"
        for source, arrow in _sources(column):
            yield f"{chart.node(source)} {arrow} {chart.node(here)}"
        for use in column.uses:
            sync, where = f"sync {use.sync}", f"{use.destination} {use.object}"
            if use.role is Role.CONSENT:
                yield f'{chart.node(here)} -. "consent" .-> {chart.node(sync)}'
                continue
            said = " ".join(part for part in (use.sync, "match" if use.role is Role.MATCH else "", use.form) if part)
            yield f'{chart.node(here)} -- "{_escaped(said)}" --> {chart.node(f"{where} {use.field}")}'
    for sync in dataset.asked_by:
        yield f'{chart.node(dataset.dataset)} -. "decisions" .-> {chart.node(f"sync {sync}")}'


def _sources(column: ColumnLineage) -> Iterator[tuple[str, str]]:
    origin = column.origin
    if origin.known is Known.FROM_A_QUERY:
        yield from ((f"{origin.connection} {table}", '-. "a query" .->') for table in origin.tables or ("a query",))
        return
    arrow = '-- "computed" -->' if origin.known is Known.COMPUTED else "-->"
    yield from ((f"{origin.connection} {source.table} {source.column}", arrow) for source in origin.columns)


def _escaped(text: str) -> str:
    """Quotes and brackets as Mermaid's own codes; nothing that it would take for its syntax."""
    return "".join(letter if letter.isalnum() or letter in " _-.,:@/" else f"#{ord(letter)};" for letter in text)
