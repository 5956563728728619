"""Query results whose columns are named once, apart from the cells.

Athena, RDS Data, Redshift Data and Timestream answer with rows of bare cells; what
a cell is, its column's name says, which may come after the rows. So such an answer
is collected, up to a bound, and read twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from gatekeep._fast.splice import MalformedTextError
from gatekeep.limits import MASKED_COLLECTED_BYTES_MAX
from gatekeep.masking.codec import WholeCodec
from gatekeep.masking.detectors import fold
from gatekeep.masking.engine import Engine
from gatekeep.masking.naming import Cells


@dataclass(frozen=True, slots=True)
class Table:
    """Where an answer has its columns and its cells."""

    columns: tuple[str, ...]
    name: str
    rows: tuple[str, ...]
    row: tuple[str, ...]
    """From an element of the rows to the list of its cells."""
    cell: tuple[str, ...]
    """Members of a cell that may hold its value."""
    repeats_names: bool = False
    """The first row may be the names again."""


TABLES = {
    ("athena", "GetQueryResults"): Table(
        ("ResultSet", "ResultSetMetadata", "ColumnInfo"),
        "Name",
        ("ResultSet", "Rows"),
        ("Data",),
        ("VarCharValue",),
        repeats_names=True,
    ),
    ("rds-data", "ExecuteStatement"): Table(
        ("columnMetadata",),
        "name",
        ("records",),
        (),
        ("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue"),
    ),
    ("redshift-data", "GetStatementResult"): Table(
        ("ColumnMetadata",),
        "name",
        ("Records",),
        (),
        ("stringValue", "longValue", "doubleValue", "booleanValue", "blobValue"),
    ),
    ("timestream-query", "Query"): Table(
        ("ColumnInfo",), "Name", ("Rows",), ("Data",), ("ScalarValue",)
    ),
}
"""By service and operation."""


class TableCodec(WholeCodec):
    """Masks the JSON of a query's result by the names of its columns."""

    def __init__(self, engine: Engine, service: str, table: Table) -> None:
        """Begin a body; `service` is botocore's name."""
        super().__init__(MASKED_COLLECTED_BYTES_MAX)
        self._engine = engine
        self._service = service
        self._table = table

    def mask(self, body: bytes) -> bytes:
        """Return a whole answer, masked."""
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MalformedTextError("malformed", "a query's result") from error
        codec = self._engine.json(self._service, cells=self._cells(tree))
        masked = codec.feed(body) + codec.finish()
        self.findings = codec.findings
        return masked

    def _cells(self, tree: Any) -> Cells:
        """The paths of the cells whose column's name means something."""
        table = self._table
        cells: dict[tuple[bytes | int | None, ...], tuple[int, int]] = {}
        columns = _at(tree, table.columns)
        names = [
            str(one.get(table.name, "")) if isinstance(one, dict) else ""
            for one in (columns if isinstance(columns, list) else [])
        ]
        rows = _folded(table.rows)
        for place, name in enumerate(names):
            means = self._engine.means(name.encode("utf-8", "replace"))
            if means != (-1, 0):
                for member in table.cell:
                    path = (
                        *rows,
                        None,
                        *_folded(table.row),
                        place,
                        *_folded((member,)),
                    )
                    cells[path] = means
        if cells and table.repeats_names and self._repeats(tree, names):
            cells[*rows, 0] = (-1, 0)
        return cells

    def _repeats(self, tree: Any, names: list[str]) -> bool:
        """Whether the first row is the columns' names."""
        rows = _at(tree, self._table.rows)
        first = (
            _at(rows[0], self._table.row) if isinstance(rows, list) and rows else None
        )
        return isinstance(first, list) and names == [
            _at(cell, self._table.cell[:1]) for cell in first
        ]


def _folded(path: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(fold(step.encode()) for step in path)


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
