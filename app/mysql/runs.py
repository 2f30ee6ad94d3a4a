"""`pipeline_runs`: a row a run, numbered by the server."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .. import __version__
from ..core.identifiers import quoted
from ..core.model import Run
from ..core.runs import LastRun, RunState, RunSummary
from ..core.schema import SCHEMA_VERSION, TABLES, TRANSFORM_VERSION
from ..errors import WarehouseError
from . import sql
from .query import naive, query_if_there, text_of
from .session import Session, checked

_NEWEST = "ORDER BY `number` DESC, `started_at` DESC, `run_id` DESC"  # before the first run that numbers them they have none
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class RunsTable:
    """The history of runs, over whichever session is the warehouse's now."""

    def __init__(self, session: Callable[[], Session]) -> None:
        self._session = session

    @checked
    def start(self, run: Run) -> int:
        """Write the run's row; the number that it was given.

        Holding the lock, any row still `running` is of a run that was killed.

        Raises WarehouseError.
        """
        self._session().execute(sql.number_runs())
        self._session().execute(
            "UPDATE `pipeline_runs` SET `state` = 'failed', `error` = 'the run ended without reporting: killed, or cut off' "
            "WHERE `state` = 'running'"
        )
        self._session().execute(
            sql.insert_run(),
            [
                *(run.id, run.command, run.source, naive(run.started_at)),
                *(__version__, SCHEMA_VERSION, TRANSFORM_VERSION, run.replayed_run_id),
            ],
        )
        number = self.number_of(run.id)
        if number is None:
            raise WarehouseError(
                "the run's row in pipeline_runs is gone as soon as it was written", hint="who else writes there?"
            )
        return number

    def renumber(self, run_id: str, number: int) -> None:
        """Give a run a higher number than the one that it began with. Raises WarehouseError."""
        self._session().execute("UPDATE `pipeline_runs` SET `number` = %s WHERE `run_id` = %s", [number, run_id])

    @checked
    def number_of(self, run_id: str) -> int | None:
        """The number of a run; None when `pipeline_runs` does not know it."""
        found = query_if_there(self._session(), "SELECT `number` FROM `pipeline_runs` WHERE `run_id` = %s", [run_id])
        return int(found[0][0]) if found and found[0][0] is not None else None

    @checked
    def failed_run_ids(self) -> set[str]:
        """The runs of which nothing was committed."""
        rows = query_if_there(self._session(), "SELECT `run_id` FROM `pipeline_runs` WHERE `state` = 'failed'")
        return {text_of(run_id) for (run_id,) in rows}

    @checked
    def numbers(self) -> dict[str, int]:
        """The numbers of all runs, by id."""
        rows = query_if_there(self._session(), "SELECT `run_id`, `number` FROM `pipeline_runs` WHERE `number` IS NOT NULL")
        return {text_of(run_id): int(number) for run_id, number in rows}

    @checked
    def sources(self) -> dict[str, str]:
        """The sources of all runs, by id."""
        rows = query_if_there(self._session(), "SELECT `run_id`, `source` FROM `pipeline_runs` WHERE `source` IS NOT NULL")
        return {text_of(run_id): text_of(source) for run_id, source in rows}

    @checked
    def merged_runs(self) -> list[tuple[str, str | None]]:
        """The runs that merged, newest first, each with the run that it repeated."""
        if "replayed_run_id" not in self._columns():
            return []
        rows = query_if_there(
            self._session(),
            f"SELECT `run_id`, `replayed_run_id` FROM `pipeline_runs` WHERE `state` IN ('merged', 'published') {_NEWEST}",
        )
        return [(text_of(run_id), replayed and text_of(replayed)) for run_id, replayed in rows]

    @checked
    def last_run(self) -> LastRun:
        """The newest run, and the newest that merged; called before `start`."""
        newest = query_if_there(self._session(), f"SELECT `state` FROM `pipeline_runs` {_NEWEST} LIMIT 1")
        merged = query_if_there(
            self._session(),
            "SELECT `run_id`, `number`, `source`, `schema_version`, `transform_version` FROM `pipeline_runs` "
            f"WHERE `state` IN ('merged', 'published') {_NEWEST} LIMIT 1",
        )
        if not newest:
            return LastRun()
        state = _state(newest[0][0])
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
        there = self._columns()
        names = [name for name, _ in sql.RUNS_COLUMNS if name in there]
        if not names:
            return []
        listed = ", ".join(map(quoted, names))
        rows = query_if_there(self._session(), f"SELECT {listed} FROM `pipeline_runs` {which}", [value])
        found = [dict.fromkeys(name for name, _ in sql.RUNS_COLUMNS) | dict(zip(names, row, strict=True)) for row in rows]
        for run in found:
            run["state"] = _known_state(run["state"])
            run["started_at"] = _time(run["started_at"]) or _LONG_AGO
            run["finished_at"] = _time(run["finished_at"])
            for name in ("rows_by_table", "stage_seconds"):
                run[name] = _parsed(run[name])
        return found

    def _columns(self) -> set[str]:
        """The columns that are there: those that an earlier version did not have are added by the next run."""
        return {text_of(name) for name, *_ in query_if_there(self._session(), "SHOW COLUMNS FROM `pipeline_runs`")}

    def finish(self, summary: RunSummary) -> None:
        """Write how a run ended. Raises WarehouseError."""
        rows = {
            table: {
                "total": summary.rows.get(table),
                **(vars(merged) if (merged := summary.merged.get(table)) else {}),
            }
            for table in TABLES
        }
        self._session().execute(
            "UPDATE `pipeline_runs` SET `state` = IF(`state` = 'merged' AND %s = 'failed', 'merged', %s)"
            ", `finished_at` = %s, `rows_by_table` = %s, `rejected` = %s, "
            "`stage_seconds` = %s, `error` = %s WHERE `run_id` = %s",
            [
                summary.state,
                summary.state,
                naive(datetime.now(UTC)),
                json.dumps(rows) if summary.rows else None,
                summary.rejected,
                json.dumps({k: round(v, 3) for k, v in summary.stage_seconds.items()}),
                summary.error,
                summary.run_id,
            ],
        )


def _known_state(text: Any) -> RunState:
    """A state that nobody but this program wrote; any other is no good end."""
    try:
        return RunState(text)
    except ValueError:
        return RunState.FAILED


def _state(text: Any) -> RunState:
    """How the newest run ended, once the lock is held: one that still seems to run was killed."""
    state = _known_state(text)
    return RunState.FAILED if state is RunState.RUNNING else state


def _time(value: Any) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None


def _parsed(text: str | None) -> dict[str, Any]:
    """A JSON object; an empty one where somebody wrote something else."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
