"""The text under a row hash: each fact as MySQL writes it."""

from collections.abc import Iterable
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from ..schema import Kind, Table

_PLACES = 15  # beyond these MySQL writes an exponent


TINY = (1e-15, 1e-4)
"""Reals from the first to below the second: MySQL and MariaDB differ in whether they write these with an exponent."""


TINY_SCALE = 2**50
"""What such reals are multiplied by in the hashed text; a power of two, so that no digit changes."""


def row_texts(table: Table, rows: pa.Table) -> pa.Array:
    """The text that each row's hash covers."""
    # Columns of a kind below one another, then all: a step costs more to call than to do for the rows of a small partition.
    columns = sorted(table.facts, key=lambda column: column.kind.name)
    kinds = groupby(columns, lambda column: column.kind)
    stacks = [_hashed_texts(kind, stacked([rows[c.name] for c in alike], kind.value.arrow)) for kind, alike in kinds]
    texts = stacked(stacks, pa.string()).combine_chunks()
    lengths = pc.binary_length(texts).cast(pa.string())
    values = pc.binary_join_element_wise(lengths, texts, ":")
    at = {column.name: place * len(rows) for place, column in enumerate(columns)}
    in_order = (values.slice(at[column.name], len(rows)) for column in table.facts)
    return pc.binary_join_element_wise(*in_order, "", null_handling="replace", null_replacement="-")


def stacked(columns: Iterable[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
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
