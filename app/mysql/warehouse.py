"""The MySQL database: the run lock, the tables, the strict load, and the one merge transaction.

All of it goes through one connection, which holds the lock from before the extract until the end: when it is lost, so is the
lock, and the run stops.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pymysql

from .. import __version__
from ..core.checksum import server
from ..core.checksum.digest import Checksum, with_hashes
from ..core.identifiers import quoted
from ..core.model import PartitionKey, Run
from ..core.runs import LastRun, Merged, Prepared, RunState, RunSummary
from ..core.schema import SCHEMA_VERSION, SNAPSHOT, TABLES, TRANSFORM_VERSION, Kind, Table
from ..errors import LockHeld, WarehouseError
from ..settings import Settings
from . import ddl, requirements, sql
from .session import Session, checked

_LOCK_NAME_CHARS = 64
_IDS_A_QUERY = 500
_ROWS_A_CHUNK = 1_000
_UNKNOWN_TABLE = 1146
_NEWEST = "ORDER BY `number` DESC, `started_at` DESC, `run_id` DESC"  # before the first run that numbers them they have none
_FINISH_TIMEOUT_S = 5.0
_COMMIT_TIMEOUT_S = 8.0  # no signal ends a COMMIT: these two do, within what SIGTERM and RUN_TIMEOUT_S allow for
_LOOK_TIMEOUT_S = 3.0


def lock_name(database: str) -> str:
    """The run lock of one database; locks are the server's, and their names at most 64 characters."""
    name = f"spacex_pipeline.{database}"
    return name if len(name) <= _LOCK_NAME_CHARS else f"spacex_pipeline.{hashlib.sha256(database.encode()).hexdigest()[:32]}"


class MysqlWarehouse:
    """MySQL as the pipeline sees it; close it, or use it in a `with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock_name = lock_name(settings.mysql_database)
        self._session = Session(settings, timeout_s=settings.run_timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave; the lock is free at once."""
        self._session.close()

    def lock(self, wait_s: int = 0) -> None:
        """Take the run lock. Raises LockHeld when another run has it, and keeps it for that long."""
        if self._session.query("SELECT GET_LOCK(%s, %s)", [self._lock_name, wait_s]) != [(1,)]:
            owner = self._session.query("SELECT IS_USED_LOCK(%s)", [self._lock_name])
            raise LockHeld(
                f"another run holds the lock {self._lock_name} (MySQL connection {owner[0][0] if owner else '?'})",
                hint="it frees the lock when it ends; nothing was done",
            )

    def check_lock(self) -> None:
        """Raises WarehouseError when the lock is no longer this connection's."""
        if self._session.query("SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", [self._lock_name]) != [(1,)]:
            raise WarehouseError("the run lock was lost", hint="nothing more is done; the next run repairs what was begun")

    # --- tables ---------------------------------------------------------------------------------------------------

    def pending_ddl(self) -> list[str]:
        """The DDL that `prepare` would run. Raises WarehouseError when a person has to approve some first."""
        return self._migration().ddl

    def prepare(self, run: Run, least_number: int) -> Prepared:
        """Write the run's row, make and widen tables.

        The row comes before the other tables' DDL: killed between them, the next run finds it and trusts nothing. The run's
        number is higher than `least_number`. Raises WarehouseError.
        """
        migration = self._migration()
        for statement in migration.ddl:
            if quoted(sql.RUNS_TABLE) in statement:
                self._session.execute(statement)
        last_run = self.last_run()
        number = self.start(run, least_number)
        for statement in migration.ddl:
            if quoted(sql.RUNS_TABLE) not in statement:
                self._session.execute(statement)
        requirements.check(self._session)
        return Prepared(number, last_run, migration.ddl, migration.unknown, requirements.clock_skew_s(self._session))

    @checked
    def _migration(self) -> ddl.Migration:
        migration = ddl.migration(self._found_tables())
        if migration.refused:
            raise WarehouseError("the tables do not fit: " + " ".join(migration.refused), hint="a person must approve this DDL")
        return migration

    def _found_tables(self) -> list[ddl.FoundTable]:
        names = [sql.RUNS_TABLE, *TABLES]
        listed = ", ".join(["%s"] * len(names))
        columns: dict[str, list[ddl.FoundColumn]] = {}
        keys: dict[str, list[str]] = {}
        for table, name, kind, charset, collation, nullable, default, extra, key in self._session.query(
            "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, IS_NULLABLE, COLUMN_DEFAULT, "
            f"EXTRA, COLUMN_KEY FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({listed}) "
            "ORDER BY TABLE_NAME, ORDINAL_POSITION",
            names,
        ):
            filled = default is not None or bool(extra)  # EXTRA: auto_increment, generated, DEFAULT_GENERATED
            found = ddl.FoundColumn(name, _text(kind), charset, collation, nullable == "YES", filled)
            columns.setdefault(table, []).append(found)
            if key == "PRI":
                keys.setdefault(table, []).append(name.lower())
        result = []
        for table, kind in self._session.query(
            "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({listed})",
            names,
        ):
            is_view = kind != "BASE TABLE"
            empty = is_view or not self._session.query(f"SELECT 1 FROM {quoted(table)} LIMIT 1")
            found_columns = tuple(columns.get(table, ()))
            result.append(ddl.FoundTable(table, is_view, empty, tuple(keys.get(table, ())), found_columns))
        return result

    # --- pipeline_runs --------------------------------------------------------------------------------------------

    @checked
    def start(self, run: Run, least_number: int = 0) -> int:
        """Write the run's row; the number that it was given.

        Holding the lock, any row still `running` is of a run that was killed.

        Raises WarehouseError.
        """
        self._session.execute(sql.number_runs())
        self._session.execute(
            "UPDATE `pipeline_runs` SET `state` = 'failed', `error` = 'the run ended without reporting: killed, or cut off' "
            "WHERE `state` = 'running'"
        )
        self._session.execute(
            sql.insert_run(),
            [
                *(run.id, run.command, run.source, _naive(run.started_at)),
                *(__version__, SCHEMA_VERSION, TRANSFORM_VERSION, least_number),
            ],
        )
        number = self.number_of(run.id)
        if number is None:
            raise WarehouseError(
                "the run's row in pipeline_runs is gone as soon as it was written", hint="who else writes there?"
            )
        return number

    @checked
    def number_of(self, run_id: str) -> int | None:
        """The number of a run; None when `pipeline_runs` does not know it."""
        found = self._query_if_there("SELECT `number` FROM `pipeline_runs` WHERE `run_id` = %s", [run_id])
        return int(found[0][0]) if found and found[0][0] is not None else None

    @checked
    def failed_run_ids(self) -> set[str]:
        """The runs of which nothing was committed."""
        return {
            _text(run_id) for (run_id,) in self._query_if_there("SELECT `run_id` FROM `pipeline_runs` WHERE `state` = 'failed'")
        }

    @checked
    def numbers(self) -> dict[str, int]:
        """The numbers of all runs, by id."""
        rows = self._query_if_there("SELECT `run_id`, `number` FROM `pipeline_runs` WHERE `number` IS NOT NULL")
        return {_text(run_id): int(number) for run_id, number in rows}

    @checked
    def last_run(self) -> LastRun:
        """The newest run, and the newest that merged; called before `start`."""
        newest = self._query_if_there(f"SELECT `state` FROM `pipeline_runs` {_NEWEST} LIMIT 1")
        merged = self._query_if_there(
            "SELECT `run_id`, `number`, `source`, `schema_version`, `transform_version` FROM `pipeline_runs` "
            f"WHERE `state` IN ('merged', 'published') {_NEWEST} LIMIT 1"
        )
        if not newest:
            return LastRun()
        state = RunState.FAILED if newest[0][0] == RunState.RUNNING else RunState(newest[0][0])
        if not merged:
            return LastRun(state)
        run_id, number, source, *versions = merged[0]
        return LastRun(state, run_id, number or 0, source, (versions[0], versions[1]))

    def runs(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs as `pipeline_runs` has them, newest first, texts of JSON as what they hold; times are UTC."""
        return self._runs(f"{_NEWEST} LIMIT %s", limit)

    def one_run(self, run_id: str) -> dict[str, Any] | None:
        """One run as `pipeline_runs` has it."""
        found = self._runs("WHERE `run_id` = %s", run_id)
        return found[0] if found else None

    @checked
    def _runs(self, which: str, value: Any) -> list[dict[str, Any]]:
        names = [name for name, _ in sql.RUNS_COLUMNS]
        listed = ", ".join(map(quoted, names))
        rows = self._query_if_there(f"SELECT {listed} FROM `pipeline_runs` {which}", [value])
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for run in found:
            for name in ("started_at", "finished_at"):
                run[name] = run[name] and run[name].replace(tzinfo=UTC)
            for name in ("rows_by_table", "stage_seconds"):
                run[name] = json.loads(run[name] or "{}")
        return found

    def finish(self, summary: RunSummary) -> None:
        """Write how the run ended; over a new connection when the run's own is lost. Raises WarehouseError."""
        self._session.set_timeout(_FINISH_TIMEOUT_S)
        if self._session.is_open:
            try:
                self._finish(summary)
            except WarehouseError:
                if self._session.is_open:
                    raise
            else:
                return
        self._session = Session(self._settings, timeout_s=_FINISH_TIMEOUT_S)
        self._finish(summary)

    def _finish(self, summary: RunSummary) -> None:
        rows = {
            table: {
                "total": summary.rows.get(table),
                **(vars(merged) if (merged := summary.merged.get(table)) else {}),
            }
            for table in TABLES
        }
        self._session.execute(
            "UPDATE `pipeline_runs` SET `state` = IF(`state` = 'merged' AND %s = 'failed', 'merged', %s)"
            ", `finished_at` = %s, `rows_by_table` = %s, `rejected` = %s, "
            "`stage_seconds` = %s, `error` = %s WHERE `run_id` = %s",
            [
                summary.state,
                summary.state,
                _naive(datetime.now(UTC)),
                json.dumps(rows) if summary.rows else None,
                summary.rejected,
                json.dumps({k: round(v, 3) for k, v in summary.stage_seconds.items()}),
                summary.error,
                summary.run_id,
            ],
        )

    # --- reading --------------------------------------------------------------------------------------------------

    @checked
    def counts(self) -> dict[PartitionKey, int]:
        """Rows by table and year; a table that is not there has none."""
        found = {}
        for table in TABLES.values():
            for year, rows in self._query_if_there(sql.counts(table)):
                found[table.name, int(year)] = int(rows)
        return found

    @checked
    def checksums(self, keys: Iterable[PartitionKey]) -> dict[PartitionKey, Checksum]:
        """Rows and digest of partitions, computed by the server from the values it holds."""
        years: dict[str, set[int]] = {}
        for table, year in keys:
            years.setdefault(table, set()).add(year)
        return _checksums(self._query_if_there, years)

    def all_checksums(self) -> "Future[dict[PartitionKey, Checksum]]":
        """Rows and digest of every partition, computed over a connection of its own while the run goes on."""
        found: Future[dict[PartitionKey, Checksum]] = Future()

        def compute() -> None:
            try:
                with contextlib.closing(Session(self._settings, timeout_s=self._settings.run_timeout_s)) as session:
                    found.set_result(_checksums(session.query, dict.fromkeys(TABLES)))
            except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
                found.set_exception(error)

        threading.Thread(target=compute, daemon=True).start()
        return found

    @checked
    def launch_ids(self) -> set[str]:
        """The ids of all launches held."""
        return {_text(row[0]) for row in self._query_if_there("SELECT `launch_id` FROM `launches`")}

    @checked
    def rows_of(self, ids: Iterable[str]) -> dict[str, pa.Table]:
        """All rows of the given launches as stored, but for launches with a row whose facts no longer have its hash."""
        wanted = sorted(ids)
        found: dict[str, pa.Table] = {}
        altered: set[str] = set()
        for table in SNAPSHOT.values():
            rows: list[tuple[Any, ...]] = []
            for start in range(0, len(wanted), _IDS_A_QUERY):
                some = wanted[start : start + _IDS_A_QUERY]
                rows += self._query_if_there(sql.select_rows(table, len(some)), some)
            found[table.name], stored = _as_stored(table, rows)
            same = pc.equal(found[table.name]["row_hash"], stored)
            altered.update(found[table.name].filter(pc.invert(same))["launch_id"].to_pylist())
        return {
            name: rows.filter(pc.invert(pc.is_in(rows["launch_id"], pa.array(sorted(altered), pa.string()))))
            for name, rows in found.items()
        }

    @checked
    def rows_of_years(self, table: str, years: Iterable[int]) -> pa.Table:
        """All rows of some years of a table, as stored: the hashes beside them too."""
        parts = [TABLES[table].arrow.empty_table()]
        for year in sorted(years):
            rows, stored = _as_stored(TABLES[table], self._query_if_there(sql.select_years(TABLES[table], [year])))
            parts.append(rows.set_column(rows.schema.get_field_index("row_hash"), parts[0].field("row_hash"), stored))
        return pa.concat_tables(parts)

    def _query_if_there(self, statement: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        try:
            return self._session.query(statement, values or [])
        except WarehouseError as error:
            if _code(error) == _UNKNOWN_TABLE:
                return []
            raise

    # --- merging --------------------------------------------------------------------------------------------------

    @contextmanager
    def merge(self, run: Run, staged: Mapping[str, Iterable[pa.Table]], scope: Mapping[str, set[int]]) -> Iterator["OpenMerge"]:
        """Stage and merge, uncommitted: yield to prove it, roll back unless `commit` was called.

        `staged` are the rows of the partitions to load; `scope` names for each table the years whose rows are gone when they were
        not staged. An empty table has nothing to merge with: it is loaded as it is, in the transaction. Raises WarehouseError.
        """
        self.check_lock()
        empty = [name for name in staged if not self._session.query(f"SELECT 1 FROM {quoted(name)} LIMIT 1")]
        for name, parts in staged.items():
            if name not in empty:
                table = TABLES[name]
                self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {quoted(sql.stage_name(table))}")
                self._session.execute(sql.create_stage(table))
                self._load(table, parts, sql.load_stage(table), [])
        self._session.execute("START TRANSACTION")
        merge = OpenMerge(self, run)
        try:
            for name, parts in staged.items():
                table = TABLES[name]
                lineage = [run.id, _naive(run.as_of)][: len(sql.lineage(table))]
                if name in empty:
                    merge.merged[name] = Merged(self._load(table, parts, sql.load_empty(table), lineage), 0, 0)
                else:
                    merge.merged[name] = self._merge_table(table, lineage, scope[name])
            self._session.execute("UPDATE `pipeline_runs` SET `state` = 'merged' WHERE `run_id` = %s", [run.id])
            yield merge
        finally:
            if not merge.committed:
                # Not ROLLBACK: after an interruption the connection may stand anywhere in its dialogue, even inside a load,
                # where a statement would be taken for data. Closed, the server rolls back and frees the lock.
                self._session.close()

    def _load(self, table: Table, parts: Iterable[pa.Table], statement: str, values: list[Any]) -> int:
        sent = 0

        def stream() -> Iterator[bytes]:
            nonlocal sent
            for rows in _chunks(parts):
                sent += rows.num_rows
                yield sql.load_lines(table, rows)

        self._session.load(statement, stream(), lambda: sent, values)
        return sent

    def _merge_table(self, table: Table, lineage: list[Any], years: set[int]) -> Merged:
        updated = self._session.execute(sql.update_changed(table), lineage)
        inserted = self._session.execute(sql.insert_new(table), lineage)
        deleted = self._session.execute(sql.delete_gone(table, years)) if years else 0
        return Merged(inserted, updated, deleted)

    def commit(self, run: Run) -> None:
        """Commit; when the answer is lost, look whether it happened before anything is said."""
        self.check_lock()
        self._session.set_timeout(_COMMIT_TIMEOUT_S)
        try:
            self._session.commit()
        except pymysql.MySQLError as error:
            if not self._was_committed(run):
                raise WarehouseError(f"COMMIT failed: {error}", hint="it was rolled back; run again") from error
        self._session.set_timeout(self._settings.run_timeout_s)

    def _was_committed(self, run: Run) -> bool:
        self._session.close()
        try:
            self._session = Session(self._settings, timeout_s=_LOOK_TIMEOUT_S)
        except WarehouseError as error:
            message = f"the answer to COMMIT was lost, and so it is not known whether it happened: {error}"
            raise WarehouseError(message, hint="the next run finds out and repairs") from error
        # The server frees the old session's lock only when its transaction has ended one way or the other.
        if self._session.query("SELECT GET_LOCK(%s, 2)", [self._lock_name]) != [(1,)]:
            raise WarehouseError("the answer to COMMIT was lost and the lock with it", hint="the next run repairs it")
        return bool(self._session.query("SELECT 1 FROM `pipeline_runs` WHERE `run_id` = %s AND `state` = 'merged'", [run.id]))


@checked
def _checksums(
    query: Callable[[str], list[tuple[Any, ...]]], years: Mapping[str, set[int] | None]
) -> dict[PartitionKey, Checksum]:
    found = {}
    for name, wanted in years.items():
        for year, rows, digest, altered in query(server.checksums(TABLES[name], wanted)):
            # A row whose stored hash is not that of its values is a difference, whatever the digest says.
            found[name, int(year)] = Checksum(int(rows), f"{altered} row hashes altered" if altered else _text(digest))
    return found


class OpenMerge:
    """An open merge transaction: merged, not committed; left without `commit` it is rolled back."""

    def __init__(self, warehouse: MysqlWarehouse, run: Run) -> None:
        self._warehouse = warehouse
        self._run = run
        self.merged: dict[str, Merged] = {}
        self.committed = False

    def checksums(self, keys: Iterable[PartitionKey]) -> dict[PartitionKey, Checksum]:
        """Rows and digest of partitions as the transaction sees them."""
        return self._warehouse.checksums(keys)

    def counts(self) -> dict[PartitionKey, int]:
        """Rows by table and year as the transaction sees them."""
        return self._warehouse.counts()

    def commit(self) -> None:
        """Commit. Raises WarehouseError when it is known not to have happened, or can't be known."""
        self._warehouse.commit(self._run)
        self.committed = True


def _chunks(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of middling size: text takes several times the memory of Arrow, and small tables take long."""
    waiting: list[pa.Table] = []
    for part in parts:
        for start in range(0, part.num_rows, _ROWS_A_CHUNK):
            waiting.append(part.slice(start, _ROWS_A_CHUNK))
            if sum(rows.num_rows for rows in waiting) >= _ROWS_A_CHUNK:
                yield pa.concat_tables(waiting)
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _as_stored(table: Table, rows: list[tuple[Any, ...]]) -> tuple[pa.Table, pa.Array]:
    """Rows with the hashes of the facts that were read, and the hashes that were stored beside them."""
    columns = dict(
        zip(
            (c.name for c in table.columns),
            zip(*rows, strict=True) if rows else ((),) * len(table.columns),
            strict=True,
        )
    )
    stored = pa.array([_text(h) for h in columns["row_hash"]], pa.string())
    return with_hashes(table, {c.name: [_value(c.kind, v) for v in columns[c.name]] for c in table.facts}), stored


def _value(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    if kind is Kind.FLAG:
        return bool(value)
    if kind is Kind.TIME:
        return value.replace(tzinfo=UTC)
    return value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _naive(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def _code(error: WarehouseError) -> int:
    cause = error.__cause__
    return cause.args[0] if cause is not None and cause.args and isinstance(cause.args[0], int) else 0
