"""A hash a row, a digest a partition."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import xor

import pyarrow as pa

from app.core.checksum.digest import EMPTY, Content
from app.core.checksum.text import row_texts
from app.core.schema import Table

_HASH_HEX = 32


_ROWS_A_TEXT = 5_000  # as text a row takes several times the memory of Arrow


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


@dataclass(frozen=True)
class Content:
    """What a partition holds: row count, and the XOR of its row hashes as 32 hex digits."""

    rows: int
    digest: str


EMPTY = Content(0, "0" * 32)
