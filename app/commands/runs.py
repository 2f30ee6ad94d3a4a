"""`runs`: what the last runs did; `runs show`: everything that is known of one."""

from pathlib import Path

from ..core.runs import RunState
from ..errors import SettingsError
from ..mysql.warehouse import MysqlWarehouse
from .invocation import Invocation

_SEARCHED = 1000  # newest runs, most of which may have found nothing new


def execute(job: Invocation, spool: Path) -> None:  # noqa: ARG001  # every command is given one
    """List runs, or show one. Raises PipelineError."""
    with job.adapters() as adapters:
        run_id = named(adapters.warehouse, job.request.run_id)
        if run_id is None:
            found = adapters.warehouse.runs_table.runs(job.request.limit)
        elif one := adapters.warehouse.runs_table.one_run(run_id):
            found = [one]
        else:
            raise SettingsError(f"pipeline_runs has no run {run_id}", hint="see: runs")
    job.summary.state = RunState.LISTED
    job.result = found
    if job.view:
        (job.view.show_run if run_id else job.view.show_runs)(found)
    elif not job.request.as_json:
        for one in found:
            job.telemetry.event(f"run {one['run_id']} {one['state']}", run=one)


def named(warehouse: MysqlWarehouse, run_id: str | None, *, received: bool = False) -> str | None:
    """The id that is meant: `latest` is the newest run that `runs` lists; `received`: the newest that was sent something new.

    Raises SettingsError when it can't be one.
    """
    if run_id is not None and not run_id.isascii():  # the server would refuse to compare it
        raise SettingsError(f"{run_id} is not the id of a run", hint="see: runs")
    if run_id != "latest":
        return run_id
    for run in warehouse.runs_table.runs(_SEARCHED if received else 1):
        if not received or (run["command"] != "verify" and run["state"] is not RunState.UNCHANGED):
            return str(run["run_id"])
    raise SettingsError("there is no such run yet", hint="run the pipeline")
