"""The MySQL database: the run lock, the tables, the strict load, and the one merge transaction.

All that is written goes through one connection, which holds the lock from before the extract until the end: when it is lost,
so is the lock, and the run stops. A second one only computes checksums meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Self

import pyarrow as pa
import pymysql

from ..core.checksum.digest import Checksum
from ..core.identifiers import lock_name, quoted
from ..core.model import PartitionKey, Run
from ..core.reconcile import Scope
from ..core.runs import LastRun, Merged, Prepared, RunSummary
from ..core.schema import TABLES
from ..errors import LockHeld, WarehouseError, waiting_for
from ..settings import Settings
from . import ddl, requirements, sql, views
from .load import load, merge_staged
from .proof import SecondConnection
from .query import naive, query_if_there, text_of
from .rows import checksums, found_tables, rows_of, rows_of_years
from .runs import RunsTable
from .session import Session, checked

_FINISH_TIMEOUT_S = 5.0
_COMMIT_TIMEOUT_S = 8.0  # no signal ends a COMMIT: these two do, within what SIGTERM and RUN_TIMEOUT_S allow for
_LOOK_TIMEOUT_S = 3.0


class MysqlWarehouse:
    """MySQL as the pipeline sees it; close it, or use it in a `with`."""

    def __init__(self, settings: Settings, warn: Callable[[str], None] = lambda _: None) -> None:
        self._settings = settings
        self._warn = warn
        self._lock_name = lock_name(settings.mysql_database)
        self._session = Session(settings, timeout_s=settings.run_timeout_s)
        self.second = SecondConnection(settings)
        self.runs_table = RunsTable(lambda: self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave; the lock is free at once."""
        self._session.close()
        self.second.close()

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
        """The DDL that the tables need and `prepare` would run. Raises WarehouseError when a person has to approve some first."""
        return self._migration().ddl

    def check_packet(self) -> None:
        """Raises WarehouseError when the server's limit of a packet is too low for checksums of long rows."""
        requirements.prove_packet(self._session)

    def pending_descriptions(self) -> list[str]:
        """The DDL of comments and views that `prepare` would run beside it. Raises WarehouseError."""
        return [*self._migration().comments, *views.pending(self._session)]

    def prepare(self, run: Run) -> Prepared:
        """Write the run's row, make and widen tables, and make the views over them.

        The row comes before the other tables' DDL: killed between them, the next run finds it and trusts nothing. Raises
        WarehouseError.
        """
        migration = self._migration()
        for statement in migration.ddl:
            if quoted(sql.RUNS_TABLE) in statement:
                self._session.execute(statement)
        last_run = self.last_run()
        number = self.start(run)
        for statement in migration.ddl:
            if quoted(sql.RUNS_TABLE) not in statement:
                self._session.execute(statement)
        requirements.check(self._session)
        for statement in migration.comments:
            self._session.execute(statement)
        missing = views.make(self._session)
        skew_s = requirements.clock_skew_s(self._session)
        return Prepared(number, last_run, migration.ddl, migration.unknown, skew_s, missing)

    @checked
    def _migration(self) -> ddl.Migration:
        migration = ddl.migration(found_tables(self._session))
        if migration.refused:
            raise WarehouseError("the tables do not fit: " + " ".join(migration.refused), hint="a person must approve this DDL")
        return migration

    # --- pipeline_runs --------------------------------------------------------------------------------------------

    def start(self, run: Run) -> int:
        """Write the run's row; the number that it was given. Raises WarehouseError."""
        return self.runs_table.start(run)

    def last_run(self) -> LastRun:
        """The newest run, and the newest that merged; called before `start`."""
        return self.runs_table.last_run()

    def finish(self, summary: RunSummary) -> None:
        """Write how the run ended; over a new connection when the run's own is lost. Raises WarehouseError."""
        self._session.set_timeout(_FINISH_TIMEOUT_S)
        if self._session.is_open:
            try:
                self.runs_table.finish(summary)
            except WarehouseError:
                if self._session.is_open:
                    raise
            else:
                return
        self._session = Session(self._settings, timeout_s=_FINISH_TIMEOUT_S)
        self.runs_table.finish(summary)

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
        return checksums(self._query_if_there, years)

    def all_checksums(self) -> "Future[dict[PartitionKey, Checksum]]":
        """Rows and digest of every partition, computed over the second connection while the run goes on."""
        return self.second.committed()

    @checked
    def launch_ids(self) -> set[str]:
        """The ids of all launches held."""
        return {text_of(row[0]) for row in self._query_if_there("SELECT `launch_id` FROM `launches`")}

    @checked
    def rows_of(self, ids: Iterable[str]) -> dict[str, pa.Table]:
        """All rows of the given launches as stored, but for launches with a row whose facts no longer have its hash."""
        return rows_of(self._query_if_there, ids)

    @checked
    def rows_of_years(self, table: str, years: Iterable[int]) -> pa.Table:
        """All rows of some years of a table, as stored: the hashes beside them too."""
        return rows_of_years(self._query_if_there, TABLES[table], years)

    def _query_if_there(self, statement: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return query_if_there(self._session, statement, values)

    # --- merging --------------------------------------------------------------------------------------------------

    @contextmanager
    def merge(
        self,
        run: Run,
        staged: Mapping[str, Iterable[pa.Table]],
        scope: Mapping[str, Scope],
        touched: Iterable[PartitionKey],
    ) -> Iterator["OpenMerge"]:
        """Stage and merge, uncommitted: yield to prove it, roll back unless `commit` was called.

        `staged` are the rows of the partitions to load; `scope` says of each table which rows are gone when they were not
        staged; `touched` are the partitions to prove. An empty table has nothing to merge with: it is loaded as it is, in the
        transaction. Raises WarehouseError.
        """
        self.check_lock()
        empty = [name for name in staged if not self._session.query(f"SELECT 1 FROM {quoted(name)} LIMIT 1")]
        for name, parts in staged.items():
            if name not in empty:
                table = TABLES[name]
                self._session.execute(f"DROP TEMPORARY TABLE IF EXISTS {quoted(sql.stage_name(table))}")
                self._session.execute(sql.create_stage(table))
                load(self._session, table, parts, sql.load_stage(table))
        self._session.execute("START TRANSACTION")
        merge = OpenMerge(self, run, touched)
        try:
            # First of all: by this the second connection knows that it sees this transaction.
            self._session.execute("UPDATE `pipeline_runs` SET `state` = 'merged' WHERE `run_id` = %s", [run.id])
            merge.changed_before = self.changed_rows()
            for name, parts in staged.items():
                table = TABLES[name]
                lineage = [run.id, naive(run.as_of)][: len(sql.lineage(table))]
                if name in empty:
                    merge.merged[name] = Merged(load(self._session, table, parts, sql.load_empty(table), lineage), 0, 0)
                else:
                    merge.merged[name] = merge_staged(self._session, table, lineage, scope[name])
                merge.prove(name)
            yield merge
        finally:
            if not merge.committed:
                # Not ROLLBACK: after an interruption the connection may stand anywhere in its dialogue, even inside a load,
                # where a statement would be taken for data. Closed, the server rolls back and frees the lock.
                self._session.close()

    def changed_rows(self) -> tuple[int, int]:
        """How many rows this connection has updated and deleted so far, whoever asked for it: triggers too."""
        counted = self._session.query("SHOW SESSION STATUS WHERE `Variable_name` IN ('Handler_update', 'Handler_delete')")
        found = dict(counted)
        return int(found["Handler_update"]), int(found["Handler_delete"])

    def commit(self, run: Run) -> None:
        """Commit; when the answer is lost, look whether it happened before anything is said."""
        self.check_lock()
        self._session.set_timeout(_COMMIT_TIMEOUT_S)
        try:
            self._session.commit()
        except pymysql.MySQLError as error:
            if not self._was_committed(run):
                raise WarehouseError(f"COMMIT failed: {error}", hint="it was rolled back; run again") from error
            self._warn("the answer to COMMIT was lost; asked at attempt 2, the server says that it happened")
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


class OpenMerge:
    """An open merge transaction: merged, not committed; left without `commit` it is rolled back."""

    def __init__(self, warehouse: MysqlWarehouse, run: Run, touched: Iterable[PartitionKey]) -> None:
        self._warehouse = warehouse
        self._run = run
        self._touched = set(touched)
        self._proofs: list[Future[dict[PartitionKey, Checksum]]] = []
        self.changed_before = (0, 0)
        self.merged: dict[str, Merged] = {}
        self.committed = False

    def prove(self, table: str) -> None:
        """Let the server begin to compute what a table that was merged holds, while the next is."""
        if years := {year for name, year in self._touched if name == table}:
            self._proofs.append(self._warehouse.second.merged(self._run, table, years))

    def has_side_effects(self) -> bool:
        """Whether rows were changed that the merge itself did not, as by a trigger: in any table, proven already or not."""
        changed = tuple(now - before for now, before in zip(self._warehouse.changed_rows(), self.changed_before, strict=True))
        own = [(merged.updated, merged.deleted) for merged in self.merged.values()]
        return changed != (sum(updated for updated, _ in own), sum(deleted for _, deleted in own))

    def beside(self) -> dict[PartitionKey, Checksum]:
        """What the second connection found, once all of it is there."""
        with waiting_for(WarehouseError):
            return {key: checksum for proof in self._proofs for key, checksum in proof.result().items()}

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
