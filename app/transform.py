"""From canonical rows to Arrow tables, and what makes two stores comparable: a hash a row, a digest a partition.

The row hash covers a text that MySQL can make from the values it holds, with SQL that is valid everywhere: for each fact the
length of its text in bytes, a colon and the text, or a dash for null. `sql.row_text` is its twin; tests hold the two together.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import groupby
from operator import xor
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from app.records import EMPTY, Content, Rows
from app.schema import SNAPSHOT, Kind, Table

if TYPE_CHECKING:
    import pandas as pd

_HASH_HEX = 32
_ROWS_A_TEXT = 5_000  # as text a row takes several times the memory of Arrow
_PLACES = 15  # beyond these MySQL writes an exponent
TINY = (1e-15, 1e-4)
"""Reals from the first to below the second: MySQL and MariaDB differ in whether they write these with an exponent."""
TINY_SCALE = 2**50
"""What such reals are multiplied by in the hashed text; a power of two, so that no digit changes."""


def transform(rows: Rows) -> dict[str, pa.Table]:
    """The rows of a batch of launches as one Arrow table for each canonical table, hashed, in no order."""
    tables = {}
    for table in SNAPSHOT.values():
        facts = pa.array(rows[table.name], pa.struct([(c.name, c.kind.value.arrow) for c in table.facts]))
        tables[table.name] = _with_hashes(table, facts.flatten())
    return tables


def with_hashes(table: Table, facts: Mapping[str, list[object]]) -> pa.Table:
    """An Arrow table from the facts by column, the row hashes added. Raises pyarrow.ArrowInvalid when a value does not fit."""
    return _with_hashes(table, [pa.array(facts[c.name], c.kind.value.arrow) for c in table.facts])


def _with_hashes(table: Table, facts: list[pa.Array]) -> pa.Table:
    bare = pa.table(facts, [c.name for c in table.facts])
    return pa.table([*facts, row_hashes(table, bare)], schema=table.arrow)


def row_hashes(table: Table, rows: pa.Table) -> pa.Array:
    """The hash of each row's facts, from the values as they are, whatever a `row_hash` column says."""
    hashes: list[str] = []
    for start in range(0, len(rows), _ROWS_A_TEXT):
        texts = row_texts(table, rows.slice(start, _ROWS_A_TEXT)).cast(pa.binary()).to_pylist()
        hashes += [hashlib.sha256(text).hexdigest()[:_HASH_HEX] for text in texts]
    return pa.array(hashes, pa.string())


def row_texts(table: Table, rows: pa.Table) -> pa.Array:
    """The text that each row's hash covers."""
    # Columns of a kind below one another, then all: a step costs more to call than to do for the rows of a small partition.
    columns = sorted(table.facts, key=lambda column: column.kind.name)
    kinds = groupby(columns, lambda column: column.kind)
    stacks = [_hashed_texts(kind, _stacked([rows[c.name] for c in alike], kind.value.arrow)) for kind, alike in kinds]
    texts = _stacked(stacks, pa.string()).combine_chunks()
    lengths = pc.binary_length(texts).cast(pa.string())
    values = pc.binary_join_element_wise(lengths, texts, ":")
    at = {column.name: place * len(rows) for place, column in enumerate(columns)}
    in_order = (values.slice(at[column.name], len(rows)) for column in table.facts)
    return pc.binary_join_element_wise(*in_order, "", null_handling="replace", null_replacement="-")


def _stacked(columns: Iterable[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for column in columns for chunk in column.chunks], kind)


def value_texts(kind: Kind, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each value as MySQL writes it; null stays null."""
    if kind is Kind.FLAG:
        return values.cast(pa.int8()).cast(pa.string())
    if kind is Kind.TIME:
        return values.cast(pa.timestamp("us")).cast(pa.string())
    if kind is Kind.REAL:
        return _real_texts(values)
    return values.cast(pa.string())


def _hashed_texts(kind: Kind, values: pa.ChunkedArray) -> pa.ChunkedArray:
    if kind is not Kind.REAL:
        return value_texts(kind, values)
    size = pc.abs(values)
    tiny = pc.and_(pc.greater_equal(size, TINY[0]), pc.less(size, TINY[1]))
    if not pc.any(tiny).as_py():
        return _real_texts(values)
    scaled = pc.if_else(tiny, pc.multiply(values, float(TINY_SCALE)), values)
    return pc.if_else(tiny, pc.binary_join_element_wise("*", _real_texts(scaled), ""), _real_texts(scaled))


def _real_texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats with the fewest digits that name them, an exponent only beyond 15 places: as MySQL writes them."""
    texts = values.cast(pa.string())
    if not pc.any(pc.match_substring(texts, "e")).as_py():
        return texts
    pairs = zip(texts.to_pylist(), values.to_pylist(), strict=True)
    return pa.chunked_array([[real_text(value) if text and "e" in text else text for text, value in pairs]], pa.string())


def real_text(value: float) -> str:
    """One float as MySQL writes a DOUBLE."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)  # where the decimal point stands, counted from the first digit
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    if not digits:
        return "0"
    if not -_PLACES < point <= max(_PLACES, len(digits) - 1):  # with a fraction, 17 digits stand without an exponent
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{point - 1}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """Rows of a file, perhaps of an older schema, by the schema of today: columns that it lacks are null, the hashes new."""
    facts = {
        c.name: rows[c.name].cast(c.kind.value.arrow) if c.name in rows.column_names else pa.nulls(len(rows), c.kind.value.arrow)
        for c in table.facts
    }
    return pa.table({**facts, "row_hash": row_hashes(table, pa.table(facts))}, schema=table.arrow)


def content_of(rows: pa.Table) -> Content:
    """Row count and digest of a partition, by the hashes in its `row_hash` column."""
    return add_hashes(EMPTY, rows["row_hash"].to_pylist())


def add_hashes(content: Content, hashes: Iterable[str]) -> Content:
    """A content with more rows in it. The digest is the XOR of the hashes: any order gives the same, and MySQL can compute it."""
    added = [int(h, 16) for h in hashes]
    digest = reduce(xor, added, int(content.digest, 16))
    return Content(content.rows + len(added), f"{digest:0{_HASH_HEX}x}")


def both(one: Content, other: Content) -> Content:
    """The content of two parts of a partition together."""
    return Content(one.rows + other.rows, f"{int(one.digest, 16) ^ int(other.digest, 16):0{_HASH_HEX}x}")


def add_rows_as_stored(content: Content, table: Table, rows: pa.Table) -> Content:
    """A content with some rows of a file in it, their hashes computed anew from the values that were read back."""
    return add_hashes(content, row_hashes(table, rows).to_pylist())


def frame_types(table: Table) -> dict[str, str]:
    """The types of the columns of `frame`, as pandas names them, told without it."""
    return {c.name: f"{c.kind.value.arrow}[pyarrow]" for c in table.columns}


def frame(rows: pa.Table) -> "pd.DataFrame":
    """Rows as a pandas DataFrame over the same Arrow memory: nullable integers, no NaN for null, no object column."""
    import pandas as pd  # only where a frame is wanted: it takes longer to import than a small run to do

    found: pd.DataFrame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    return found
