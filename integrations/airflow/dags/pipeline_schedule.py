"""What both variants have in common: three DAGs, the tables as assets, and what an exit code means to Airflow.

`pipeline_on_worker.py` and `pipeline_on_ecs.py` say how a command is run. How to set it up: docs/schedulers.md.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, BaseOperator, CronDataIntervalTimetable, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

LOCK_HELD = 7  # another run is at work: nothing to do, and no failure
RETRIED = {3, 5, 6, 143}  # source, S3 or MySQL failed, or it was stopped: may be well in some minutes; all others want a person
RETRIES = 2
RETRY_DELAY = timedelta(seconds=int(os.environ.get("PIPELINE_RETRY_DELAY_S", "300")))
LONGEST = timedelta(minutes=60)

# Another DAG waits for a table by `schedule=[Asset("spacex_pipeline.launches")]`. Each run that ends well is an event, one that
# found nothing new too: it has proven the table.
TABLES = ["launches", "launch_cores", "launch_payloads", "launch_failures", "launch_crew", "launch_changes"]
ASSETS = [Asset(f"spacex_pipeline.{table}") for table in TABLES]

# The days of the DAG's interval, both inclusive.
DAYS_OF_INTERVAL = [
    "--from",
    "{{ data_interval_start | ds }}",
    "--to",
    "{{ (data_interval_end - macros.timedelta(seconds=1)) | ds }}",
]


def make_dags(variant: str, operator: Callable[..., BaseOperator]) -> list[DAG]:
    """The DAGs of a variant; its operator takes the program's arguments as `arguments`."""
    with _dag(f"spacex_pipeline_{variant}", "7 * * * *", "Extract, publish, prove") as run:
        operator(task_id="run", arguments=["run"], outlets=ASSETS)
    with _dag(f"spacex_pipeline_{variant}_verify", "37 3 * * *", "Prove everything that the stores hold") as verify:
        operator(task_id="verify", arguments=["verify"])
    with _dag(
        f"spacex_pipeline_{variant}_replay", "0 0 * * *", "Only for `airflow backfill create`: what runs received"
    ) as replay:
        only_when_asked() >> operator(task_id="replay", arguments=["replay", *DAYS_OF_INTERVAL], outlets=ASSETS)
    return [run, verify, replay]


def _dag(dag_id: str, schedule: str, description: str) -> DAG:
    return DAG(
        dag_id,
        description=description,
        schedule=CronDataIntervalTimetable(schedule, timezone="UTC"),
        start_date=pendulum.datetime(2026, 1, 1),
        catchup=False,  # a run reads all there is; nothing is missed
        max_active_runs=1,
        dagrun_timeout=LONGEST,
        default_args={"retries": RETRIES, "retry_delay": RETRY_DELAY},
        tags=["spacex-pipeline"],
    )


@task.short_circuit
def only_when_asked(dag_run: Any = None) -> bool:
    """Whether a person has: a backfill needs a DAG with a schedule, unpaused, yet no day is to be replayed by itself."""
    return str(dag_run.run_type) != "scheduled"


def end_by(exit_code: int, reason: str) -> None:
    """Return where the program is done; else end the task as the exit code asks for."""
    if exit_code == 0:
        return
    if exit_code == LOCK_HELD:
        raise AirflowSkipException(reason)
    failure = AirflowException if exit_code in RETRIED else AirflowFailException
    raise failure(f"exit {exit_code}: {reason}")
