"""The floor under every load: the server taking ready files of the same rows into the same tables, and nothing else."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from app.core.identifiers import quoted
from app.core.schema import TABLES, Table
from app.mysql import sql
from tests.program import Program

_ROWS_AT_ONCE = 1_000  # made into text


def write_files(published: Program, directory: Path) -> dict[str, Path]:
    """What the pipeline has published, as files for LOAD DATA in the order in which it loads: that of the key."""
    filesystem = published.filesystem()
    files = {}
    for name, table in TABLES.items():
        files[name] = directory / f"{name}.tsv"
        parts = [
            pq.read_table(f"{published.bucket}/{key}", filesystem=filesystem, partitioning=None)
            for key in published.keys(f"{name}/")
        ]
        rows = pa.concat_tables(parts).sort_by([(column, "ascending") for column in table.key])
        with files[name].open("wb") as file:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                file.write(sql.load_lines(table, rows.slice(start, _ROWS_AT_ONCE)))
    return files


def seconds(empty: Program, files: dict[str, Path]) -> float:
    """How long the server takes to load the files into new tables, in one transaction."""
    with empty.login.connect(local_infile=True, autocommit=False) as connection, connection.cursor() as cursor:
        for name, table in TABLES.items():
            cursor.execute(sql.create_table(name, sql.column_definitions(table).items(), table.key, year=True))
        start = time.perf_counter()
        for name, file in files.items():
            cursor.execute(_load(TABLES[name], file))
        connection.commit()
        return time.perf_counter() - start


def _load(table: Table, file: Path) -> str:
    """In the dialect of `sql.load_lines`."""
    columns = ", ".join(quoted(column.name) for column in table.columns)
    return (
        f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {quoted(table.name)} CHARACTER SET utf8mb4 "
        rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' ({columns})"
    )
