"""Airflow with a home of its own: what is typed there, and what its database then holds."""

import os
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integrations.environments import with_environment


@dataclass(frozen=True)
class DagTest:
    """How one `airflow dags test` ended."""

    exit_code: int
    output: str
    states: dict[str, tuple[str, int]]
    """State and number of tries of each task."""


class Airflow:
    """Its command line, with these settings."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        self._environment = {**os.environ, **settings, "AIRFLOW_HOME": str(home), "PIPELINE_RETRY_DELAY_S": "1"}

    def __call__(self, line: str, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Type a line that begins with `airflow`."""
        environment = {**self._environment, **settings}
        command = with_environment("airflow", line)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)

    def test(self, dag: str, logical_date: str = "", **settings: str) -> DagTest:
        """Run a DAG once, as `airflow dags test` does."""
        done = self(f"airflow dags test {dag} {logical_date}", **settings)
        (run_id,) = self.query("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1", dag)[0]
        tasks = self.query("SELECT task_id, state, try_number FROM task_instance WHERE dag_id = ? AND run_id = ?", dag, run_id)
        return DagTest(done.returncode, done.stdout + done.stderr, {name: (state, tries) for name, state, tries in tasks})

    def last_xcom(self) -> str:
        """What the last task that gave something has given."""
        return str(self.query("SELECT value FROM xcom WHERE key = 'return_value' ORDER BY timestamp DESC LIMIT 1")[0][0])

    def query(self, statement: str, *values: str) -> list[Any]:
        """Rows of its database."""
        with sqlite3.connect(self._home / "airflow.db") as connection:
            return connection.execute(statement, values).fetchall()
