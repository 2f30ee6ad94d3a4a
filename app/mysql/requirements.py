"""What a run needs of the server, proven by statements that change nothing: asked before anything is put anywhere.

Statements, not settings or grants, so that roles, privileges that outrank read_only, and databases that the binary log leaves out
all count as they do in the run itself. The doctor shows the same list.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..core.identifiers import quoted
from ..core.schema import TABLES, Table
from ..core.views import VIEWS
from ..errors import WarehouseError
from .query import error_code
from .session import Session, checked
from .sql import RUNS_COLUMNS, RUNS_TABLE, column_definitions

_UNKNOWN_TABLE = 1146
_DENIED = (1044, 1142, 1143, 1227)
_PROBE = "spacex_pipeline_requirements"  # a temporary table; as a table of the database it never exists
_BYTES_A_CHAR, _NUMBER_CHARS, _LENGTH_BYTES = 4, 32, 9


@dataclass(frozen=True)
class Requirement:
    """One thing that a run needs; `prove` raises WarehouseError where it is missing."""

    name: str
    met: str
    prove: Callable[[Session], None]


def _longest_text_bytes(table: Table) -> int:
    """The longest text under a row hash, as the server concatenates it: each value behind its length."""
    return sum(_BYTES_A_CHAR * (column.kind.value.max_chars or _NUMBER_CHARS) + _LENGTH_BYTES for column in table.facts)


LEAST_PACKET_BYTES = max(map(_longest_text_bytes, TABLES.values()))
"""Where max_allowed_packet is less, MySQL makes NULL of a long row's text; loads send packets of 1 MiB."""


@checked
def check(session: Session) -> None:
    """Raises WarehouseError for the first requirement that is not met; the tables must be there."""
    for requirement in of_a_run():
        requirement.prove(session)


def of_a_run() -> list[Requirement]:
    """What a run needs once the tables are there."""
    return [
        Requirement("max_allowed_packet", f"at least {LEAST_PACKET_BYTES:,} bytes", prove_packet),
        Requirement("writes", "rows of every table can be inserted, updated and deleted", _prove_writes),
        Requirement("local_infile", "a row was loaded into a temporary table", _prove_load),
    ]


def of_the_tables() -> Requirement:
    """What the first run, and one after an upgrade, needs beside: rights to make and alter tables."""
    return Requirement("rights", "all that a run needs", _prove_rights)


def of_the_views() -> Requirement:
    """What views over the tables need, which a run can do without."""
    return Requirement("views", "they can be made and replaced", _prove_views)


@checked
def clock_skew_s(session: Session) -> float:
    """How many seconds this machine's clock is ahead of the server's."""
    there: datetime = session.query("SELECT UTC_TIMESTAMP(6)")[0][0]
    return (datetime.now(UTC) - there.replace(tzinfo=UTC)).total_seconds()


def prove_packet(session: Session) -> None:
    """Raises WarehouseError where the server would make NULL of what it can't send: checksums would be wrong too."""
    found = session.query("SELECT @@session.max_allowed_packet")[0][0]
    if found < LEAST_PACKET_BYTES:
        raise WarehouseError(
            f"the server's max_allowed_packet is {found:,} bytes, and {LEAST_PACKET_BYTES:,} are needed",
            hint="raise it on the server (on RDS: in its parameter group)",
        )


def _prove_writes(session: Session) -> None:
    for statement in _writes():
        session.execute(statement)


def _writes() -> Iterator[str]:
    """One UPDATE and one DELETE that name all tables, and an INSERT for each, none of which touches a row."""
    columns = {RUNS_TABLE: [name for name, _ in RUNS_COLUMNS]}
    columns |= {table.name: list(column_definitions(table)) for table in TABLES.values()}
    tables = ", ".join(map(quoted, columns))
    every = [f"{quoted(table)}.{quoted(column)}" for table, names in columns.items() for column in names]
    for table, names in columns.items():
        listed = ", ".join(map(quoted, names))
        yield f"INSERT INTO {quoted(table)} ({listed}) SELECT {listed} FROM {quoted(table)} WHERE FALSE"
    yield f"UPDATE {tables} SET {', '.join(f'{column} = {column}' for column in every)} WHERE FALSE"
    yield f"DELETE {tables} FROM {tables} WHERE FALSE"


def _prove_load(session: Session) -> None:
    """The run's own way: a temporary table, which needs a right of its own and where the server says so a key, and LOCAL."""
    probe = quoted(_PROBE)
    session.execute(f"CREATE TEMPORARY TABLE {probe} (`id` INT PRIMARY KEY) ENGINE=InnoDB")
    try:
        session.load(f"LOAD DATA LOCAL INFILE '{_PROBE}' INTO TABLE {probe} (`id`)", iter([b"1\n"]), lambda: 1)
    finally:
        if session.is_open:
            session.execute(f"DROP TEMPORARY TABLE {probe}")


def _prove_rights(session: Session) -> None:
    _prove_each(session, _of_each_right())


def _prove_views(session: Session) -> None:
    probe = quoted(_PROBE)
    _prove_each(
        session,
        {
            "CREATE VIEW": f"CREATE VIEW {quoted(_PROBE + '_new')} AS SELECT 1 FROM {probe}",
            **{f"DROP on {name}": f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT 1 FROM {probe}" for name in VIEWS},
        },
    )


def _prove_each(session: Session, statements: Mapping[str, str]) -> None:
    """The server looks at rights before it looks for the table: "no such table" is the answer to a user who may."""
    missing = []
    for right, statement in statements.items():
        try:
            session.execute(statement)
        except WarehouseError as error:
            if error_code(error) in _DENIED:
                missing.append(right)
            elif error_code(error) != _UNKNOWN_TABLE:
                raise
    if missing:
        raise WarehouseError(f"missing: {', '.join(missing)}", hint="init-db grants them")


def _of_each_right() -> dict[str, str]:
    probe, new = quoted(_PROBE), quoted(_PROBE + "_new")
    return {
        "ALTER": f"ALTER TABLE {probe} ADD COLUMN `a` INT",
        "CREATE": f"CREATE TABLE {new} LIKE {probe}",
        "CREATE TEMPORARY TABLES": f"CREATE TEMPORARY TABLE {new} LIKE {probe}",
        "DELETE": f"DELETE FROM {probe}",
        "INSERT": f"INSERT INTO {probe} VALUES (1)",
        "SELECT": f"SELECT 1 FROM {probe}",
        "UPDATE": f"UPDATE {probe} SET `a` = 1",
    }
