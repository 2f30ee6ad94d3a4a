"""What differs between two states of a table: rows that came, went or changed, and which of their columns."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from .checksum.text import value_texts
from .schema import Table

_DERIVED = {"launch_year", "row_hash"}


@dataclass(frozen=True)
class Difference:
    """Rows of the new state that the old one lacks, rows of the old state that are gone, and pairs of rows, before and after."""

    added: pa.Table
    removed: pa.Table
    before: pa.Table
    after: pa.Table


@dataclass(frozen=True)
class Unmatched:
    """Those of some rows that another state does not have, and the hashes of all of them."""

    rows: pa.Table
    hashes: pa.Array


def unmatched(rows: pa.Table, known: pa.Array) -> Unmatched:
    """The rows whose hashes are not among the known ones."""
    return Unmatched(rows.filter(pc.invert(pc.is_in(rows["row_hash"], known))), rows["row_hash"].combine_chunks())


def gathered(rows: pa.Table, more: pa.Table) -> pa.Table:
    """Rows with more below them, in one piece: many small pieces, kept among large ones that go, hold on to their memory."""
    return pa.concat_tables([rows, more]).combine_chunks()


def difference(table: Table, old: pa.Table, new: pa.Table) -> Difference:
    """Compare two states by key and row hash."""
    old_keys, new_keys = _keys(table, old), _keys(table, new)
    places = pc.index_in(new_keys, old_keys.combine_chunks())
    kept = new.filter(pc.is_valid(places))
    before = old.take(places.drop_null())
    changed = pc.not_equal(before["row_hash"], kept["row_hash"])
    return Difference(
        added=new.filter(pc.is_null(places)),
        removed=old.filter(pc.invert(pc.is_in(old_keys, new_keys.combine_chunks()))),
        before=before.filter(changed),
        after=kept.filter(changed),
    )


def changed_columns(table: Table, found: Difference) -> Iterator[tuple[str, pa.Table, pa.ChunkedArray, pa.ChunkedArray]]:
    """Each column that differs anywhere: its name, the rows after the change, and the texts before and after it."""
    for column in table.facts:
        if column.name in _DERIVED or column.name in table.key:
            continue
        old, new = (value_texts(column.kind, rows[column.name]) for rows in (found.before, found.after))
        # Null differs from every value, and from no other null.
        differs = pc.fill_null(pc.not_equal(old, new), pc.xor(pc.is_null(old), pc.is_null(new)))
        if pc.any(differs).as_py():
            yield column.name, found.after.filter(differs), old.filter(differs), new.filter(differs)


def _keys(table: Table, rows: pa.Table) -> pa.ChunkedArray:
    if len(table.key) == 1:
        return rows[table.key[0]]
    return pc.binary_join_element_wise(*(rows[name].cast(pa.string()) for name in table.key), " ")
