"""A hash a row, a digest a partition."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import Table
from .text import row_texts

_HASH_HEX = 32
_ROWS_A_TEXT = 1_000  # as text a row takes several times the memory of Arrow


@dataclass(frozen=True)
class Checksum:
    """What a partition holds: row count, and the XOR of its row hashes as 32 hex digits."""

    rows: int
    digest: str


EMPTY = Checksum(0, "0" * 32)


def with_hashes(table: Table, facts: Mapping[str, list[object]]) -> pa.Table:
    """An Arrow table from the facts by column, the row hashes added. Raises pyarrow.ArrowInvalid when a value does not fit."""
    return hashed(table, [pa.array(facts[c.name], c.kind.value.arrow) for c in table.facts])


def hashed(table: Table, facts: list[pa.Array]) -> pa.Table:
    """An Arrow table from the columns of facts, in the order of the schema, with the row hashes added."""
    bare = pa.table(facts, [c.name for c in table.facts])
    return pa.table([*facts, row_hashes(table, bare)], schema=table.arrow)


def row_hashes(table: Table, rows: pa.Table) -> pa.Array:
    """The hash of each row's facts, from the values as they are, whatever a `row_hash` column says."""
    hashes: list[str] = []
    for start in range(0, len(rows), _ROWS_A_TEXT):
        texts = row_texts(table, rows.slice(start, _ROWS_A_TEXT)).cast(pa.binary()).to_pylist()
        hashes += [hashlib.sha256(text).hexdigest()[:_HASH_HEX] for text in texts]
    return pa.array(hashes, pa.string())


def have_hashes(table: Table, rows: pa.Table, stored: pa.Array) -> pa.Array:
    """Whether each row's stored hash is that of its facts, as this schema version or an earlier one computes it."""
    versions = sorted({column.since for column in table.facts})
    return reduce(pc.or_, (pc.equal(stored, row_hashes(table.as_of(version), rows)) for version in versions))


def checksum_of(rows: pa.Table) -> Checksum:
    """Row count and digest of a partition, by the hashes in its `row_hash` column."""
    return add_hashes(EMPTY, rows["row_hash"].to_pylist())


def add_hashes(checksum: Checksum, hashes: Iterable[str]) -> Checksum:
    """A checksum with more rows in it.

    The digest is the XOR of the hashes: any order gives the same, and MySQL can compute it.
    """
    added = [int(h, 16) for h in hashes]
    digest = reduce(xor, added, int(checksum.digest, 16))
    return Checksum(checksum.rows + len(added), f"{digest:0{_HASH_HEX}x}")


def combined(one: Checksum, other: Checksum) -> Checksum:
    """The checksum of two parts of a partition together."""
    return Checksum(one.rows + other.rows, f"{int(one.digest, 16) ^ int(other.digest, 16):0{_HASH_HEX}x}")


def add_rows_as_stored(checksum: Checksum, table: Table, rows: pa.Table) -> Checksum:
    """A checksum with some rows of a file in it, their hashes computed anew from the values that were read back."""
    return add_hashes(checksum, row_hashes(table, rows).to_pylist())
