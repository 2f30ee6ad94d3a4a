"""Every SQL text that the warehouse sends, made from `schema.py`: pure, and valid on MySQL 8.0, 8.4, 9 and MariaDB 10.11.

A temporary table is named once a statement (MySQL's error 1137), all identifiers are quoted, nothing is dialect-only.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from ..core.checksum.server import stored_hash
from ..core.checksum.text import value_texts
from ..core.identifiers import quoted
from ..core.schema import SNAPSHOT, TABLES, Kind, Table

LINEAGE = (("changed_run_id", Kind.KEY), ("changed_at", Kind.TIME))
"""Columns of MySQL only, outside every checksum: the run that last changed the row, and when it began."""


_LINEAGE_MEANINGS = {
    "changed_run_id": "The run that last changed the row",
    "changed_at": "When that run began, UTC",
}


def lineage(table: Table) -> tuple[tuple[str, Kind], ...]:
    """The lineage columns of a table; rows that never change name their run as a fact."""
    return LINEAGE if table.name in SNAPSHOT else ()


RUNS_TABLE = "pipeline_runs"
RUNS_COLUMNS: tuple[tuple[str, str], ...] = (
    ("run_id", f"{Kind.KEY.value.mysql} NOT NULL"),
    ("source", Kind.KEY.value.mysql),
    ("started_at", "DATETIME(6)"),
    ("finished_at", "DATETIME(6)"),
    ("state", "VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin"),
    ("rows_by_table", Kind.PROSE.value.mysql),
    ("rejected", "BIGINT"),
    ("stage_seconds", Kind.PROSE.value.mysql),
    ("app_version", Kind.LABEL.value.mysql),
    ("schema_version", "BIGINT"),
    ("transform_version", "BIGINT"),
    ("error", Kind.PROSE.value.mysql),
    ("number", "BIGINT"),
    ("command", "VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin"),
    ("replayed_run_id", Kind.KEY.value.mysql),
)
RUNS_MEANING = "A run, or another command that writes; MySQL alone has it"
RUNS_MEANINGS = {
    "run_id": "The run's id",
    "source": "Which API it read",
    "started_at": "When it began, UTC",
    "finished_at": "When it ended, UTC",
    "state": "running merged published unchanged failed",
    "rows_by_table": "Rows of each table, and what was inserted, updated and deleted, as JSON",
    "rejected": "Launches that could not be used",
    "stage_seconds": "How long each stage took, as JSON",
    "app_version": "Version of the program",
    "schema_version": "Version of the columns",
    "transform_version": "Version of the rules that make the rows",
    "error": "Why it failed",
    "number": "The run's number, given by the server: runs are ordered by it",
    "command": "run, verify, replay",
    "replayed_run_id": "The run that it repeated; the last one, where it repeated many at once",
}
# The backslash first, or those that the others bring would be doubled.
_ESCAPES = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), ("\0", "\\0"))
_OPTIONS = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def column_definitions(table: Table) -> dict[str, str]:
    """The MySQL type of each column of a canonical table, lineage included."""
    types = {c.name: c.kind.value.mysql + (" NOT NULL" if c.required else "") for c in table.columns}
    return types | {name: kind.value.mysql for name, kind in lineage(table)}


def comments(name: str) -> tuple[str, dict[str, str]]:
    """What a table's row is, and the meanings of its columns, lineage included."""
    if name == RUNS_TABLE:
        return RUNS_MEANING, RUNS_MEANINGS
    table = TABLES[name]
    meanings = {column.name: column.meaning for column in table.columns}
    return table.meaning, {column: _LINEAGE_MEANINGS[column] for column, _ in lineage(table)} | meanings


def comment(meaning: str) -> str:
    """A meaning as the server takes it."""
    escaped = meaning.replace("'", "''")
    return f"COMMENT '{escaped}'"


def create_table(name: str, columns: Iterable[tuple[str, str]], key: Iterable[str], *, year: bool) -> str:
    """CREATE TABLE with its key, an index on the partition year, and comments."""
    meaning, meanings = comments(name)
    lines = [f"{quoted(column)} {definition} {comment(meanings[column])}" for column, definition in columns]
    lines.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
    if year:
        lines.append(f"KEY {quoted('launch_year')} ({quoted('launch_year')})")
    return f"CREATE TABLE {quoted(name)} ({', '.join(lines)}) {_OPTIONS} {comment(meaning)}"


def stage_name(table: Table) -> str:
    """The temporary table that a load goes into."""
    return f"stage_{table.name}"


def create_stage(table: Table) -> str:
    """The temporary staging table, typed by the schema and not by what the target happens to be."""
    lines = [f"{quoted(c.name)} {c.kind.value.mysql}" for c in table.columns]
    lines.append(f"PRIMARY KEY ({', '.join(map(quoted, table.key))})")
    return f"CREATE TEMPORARY TABLE {quoted(stage_name(table))} ({', '.join(lines)}) {_OPTIONS}"


def load_stage(table: Table) -> str:
    """LOAD DATA into the staging table."""
    return _load(table, stage_name(table))


def load_empty(table: Table) -> str:
    """LOAD DATA into the table itself, which must be empty; parameters: the lineage."""
    sets = ", ".join(f"{quoted(name)} = %s" for name, _ in lineage(table))
    return _load(table, table.name) + (f" SET {sets}" if sets else "")


def _load(table: Table, into: str) -> str:
    """The file name is for the server's log; our client answers with its own stream."""
    columns = ", ".join(quoted(c.name) for c in table.columns)
    return (
        f"LOAD DATA LOCAL INFILE '{table.name}' INTO TABLE {quoted(into)} CHARACTER SET utf8mb4 "
        rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' ({columns})"
    )


def load_lines(table: Table, rows: pa.Table) -> bytes:
    r"""Rows in the dialect that loads name: tabs between values, line feeds after rows, backslash escapes, \N for null."""
    if not rows.num_rows:
        return b""
    texts = [_escaped(value_texts(column.kind, rows[column.name])) for column in table.columns]
    lines = pc.binary_join_element_wise(*texts, "\t", null_handling="replace", null_replacement="\\N")
    return b"\n".join(lines.cast(pa.binary()).to_pylist()) + b"\n"


def _escaped(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same texts, escaped; most columns hold nothing that must be, and are not copied."""
    held = b"".join(map(_bytes_of, texts.chunks))
    for plain, escaped in _ESCAPES:
        if plain.encode() in held:
            texts = pc.replace_substring(texts, plain, escaped)
    return texts


def _bytes_of(texts: pa.StringArray) -> bytes:
    """What all texts are made of, one after another, as Arrow holds them: to be searched at once."""
    _, offsets, values = texts.buffers()
    if not values:
        return b""
    starts = memoryview(offsets).cast("i")
    return bytes(memoryview(values)[starts[texts.offset] : starts[texts.offset + len(texts)]])


def insert_new(table: Table) -> str:
    """Staged rows that the target lacks; parameters: the lineage."""
    names = [c.name for c in table.columns]
    columns = ", ".join(quoted(n) for n in [*names, *(n for n, _ in lineage(table))])
    values = ", ".join([*(f"s.{quoted(n)}" for n in names), *(["%s"] * len(lineage(table)))])
    return (
        f"INSERT INTO {quoted(table.name)} ({columns}) SELECT {values} FROM {quoted(stage_name(table))} AS s "
        f"LEFT JOIN {quoted(table.name)} AS t ON {_same_key(table)} WHERE t.{quoted(table.key[0])} IS NULL"
    )


def update_changed(table: Table) -> str:
    """Staged rows whose facts, as the target holds them, hash otherwise; parameters: the lineage."""
    sets = [f"t.{quoted(c.name)} = s.{quoted(c.name)}" for c in table.columns if c.name not in table.key]
    sets += [f"t.{quoted(name)} = %s" for name, _ in lineage(table)]
    return (
        f"UPDATE {quoted(table.name)} AS t JOIN {quoted(stage_name(table))} AS s ON {_same_key(table)} "
        f"SET {', '.join(sets)} WHERE t.`row_hash` <> s.`row_hash` OR {stored_hash(table, 't')} <> s.`row_hash`"
    )


def delete_gone(table: Table, years: Iterable[int]) -> str:
    """Rows of the given years that were not staged."""
    listed = ", ".join(str(int(y)) for y in sorted(years))
    return (
        f"DELETE t FROM {quoted(table.name)} AS t LEFT JOIN {quoted(stage_name(table))} AS s ON {_same_key(table)} "
        f"WHERE t.`launch_year` IN ({listed}) AND s.{quoted(table.key[0])} IS NULL"
    )


def delete_gone_of(table: Table, years: Iterable[int], ids: int) -> str:
    """Rows of so many launches in the given years that were not staged; parameters: the ids."""
    launches = f"t.{quoted(table.key[0])} IN ({', '.join(['%s'] * ids)})"
    return f"{delete_gone(table, years)} AND {launches}"


def number_runs() -> str:
    """Numbers for the runs that have none, after all that have one: those from before there were numbers, or of an older image.

    Only among themselves are they ordered by the time that they began.
    """
    return (
        "UPDATE `pipeline_runs` AS t JOIN (SELECT n.`run_id`, ROW_NUMBER() OVER (ORDER BY n.`started_at`, n.`run_id`) + "
        "COALESCE((SELECT MAX(m.`number`) FROM `pipeline_runs` AS m), 0) AS `number` FROM `pipeline_runs` AS n "
        "WHERE n.`number` IS NULL) AS s ON s.`run_id` = t.`run_id` SET t.`number` = s.`number`"
    )


def insert_run() -> str:
    """The row of a run that begins, numbered after all others."""
    return (
        "INSERT INTO `pipeline_runs` (`run_id`, `command`, `source`, `started_at`, `state`, `app_version`, `schema_version`, "
        "`transform_version`, `replayed_run_id`, `number`) SELECT %s, %s, %s, %s, 'running', %s, %s, %s, %s, "
        "COALESCE(MAX(`number`), 0) + 1 FROM `pipeline_runs`"
    )


def counts(table: Table) -> str:
    """Rows of each year."""
    return f"SELECT `launch_year`, COUNT(*) FROM {quoted(table.name)} GROUP BY `launch_year`"


def select_rows(table: Table, ids: int) -> str:
    """All canonical columns of the rows of so many launches."""
    columns = ", ".join(quoted(c.name) for c in table.columns)
    return f"SELECT {columns} FROM {quoted(table.name)} WHERE `launch_id` IN ({', '.join(['%s'] * ids)})"


def select_years(table: Table, years: Iterable[int]) -> str:
    """All canonical columns of the rows of the given years."""
    columns = ", ".join(quoted(c.name) for c in table.columns)
    listed = ", ".join(str(int(y)) for y in sorted(years))
    return f"SELECT {columns} FROM {quoted(table.name)} WHERE `launch_year` IN ({listed})"


def _same_key(table: Table) -> str:
    return " AND ".join(f"t.{quoted(k)} = s.{quoted(k)}" for k in table.key)
