"""The same checksum as SQL, which the server computes from the values that it holds."""

from collections.abc import Iterable

from ..identifiers import quoted
from ..schema import Column, Kind, Table
from .text import TINY, TINY_SCALE


def checksums(table: Table, years: Iterable[int] | None) -> str:
    """Rows and digest of each of the years, computed by the server from the values that it holds."""
    where = "" if years is None else f" WHERE t.`launch_year` IN ({', '.join(str(int(y)) for y in sorted(years))})"
    halves = ", ".join(
        f"LPAD(CONV(BIT_XOR(CAST(CONV(SUBSTRING(h.`hash`, {start}, 16), 16, 10) AS UNSIGNED)), 10, 16), 16, '0')"
        for start in (1, 17)
    )
    return (
        f"SELECT h.`launch_year`, COUNT(*), LOWER(CONCAT({halves})), SUM(h.`hash` <> h.`row_hash`) "
        f"FROM (SELECT t.`launch_year`, t.`row_hash`, {stored_hash(table, 't')} AS `hash` FROM {quoted(table.name)} AS t{where} "
        # The limit keeps the inner query a query of its own: merged into the outer one, each hash would be computed twice.
        "LIMIT 18446744073709551615) AS h GROUP BY h.`launch_year`"
    )


def stored_hash(table: Table, alias: str) -> str:
    """The row hash of the values that the server holds."""
    return f"CONVERT(LEFT(SHA2({row_text(table, alias)}, 256), 32) USING ascii) COLLATE ascii_bin"


def row_text(table: Table, alias: str) -> str:
    """The text under the row hash: `text.row_texts` in SQL."""
    return f"CONCAT({', '.join(_value_text(c, alias) for c in table.facts)})"


def _value_text(column: Column, alias: str) -> str:
    value = f"{alias}.{quoted(column.name)}"  # no CAST: the functions write numbers and times just so, in less time
    if column.kind is Kind.REAL:
        tiny = f"ABS({value}) >= {TINY[0]:e} AND ABS({value}) < {TINY[1]:e}"
        value = f"IF({tiny}, CONCAT('*', CAST({value} * {TINY_SCALE}e0 AS CHAR)), CAST({value} AS CHAR))"
    return f"COALESCE(CONCAT(LENGTH({value}), ':', {value}), '-')"
