"""The command line: what can be asked for. What then happens is in `__main__`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from app import __version__


@dataclass(frozen=True)
class Request:
    """One command with its options."""

    command: str
    as_json: bool = False
    accept_shrink: bool = False
    accept_source_change: bool = False
    heal: bool = False
    run_id: str | None = None
    since: date | None = None
    until: date | None = None
    to_prefix: str | None = None
    to_database: str | None = None
    limit: int = 20
    out: Path | None = None
    publish: bool = False


_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON result on stdout; log lines go to stderr.")


def _gate(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--accept-shrink", is_flag=True, help="Let a table lose more rows than MAX_SHRINK_RATIO.")(command)
    return click.option(
        "--accept-source-change", is_flag=True, help="Replace the tables of another source by those of this one."
    )(command)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    r"""Every SpaceX launch, proven equal in Parquet on S3 and in MySQL.

    Settings come from the environment; the README has their table.

    \b
    Examples:
      spacex-pipeline run              publish what has changed
      spacex-pipeline plan --json      what a run would change, written nowhere
      spacex-pipeline verify --heal    prove both stores by their values, and repair them
      spacex-pipeline replay 20261125T101209Z-c7f52c84
                                       publish once more what that run received
      spacex-pipeline runs             what the last runs did
      spacex-pipeline report           charts and data quality as one HTML page
      spacex-pipeline doctor           look whether everything is set up
    """


@cli.command()
@_json
@_gate
def run(**options: Any) -> Request:
    """Extract, validate, publish to S3 and MySQL, prove both equal."""
    return Request("run", **options)


@cli.command()
@_json
@_gate
def plan(**options: Any) -> Request:
    """Show what a run would change, and the tables; write nothing."""
    return Request("plan", **options)


@cli.command()
@_json
@click.option("--heal", is_flag=True, help="Repair what differs, from the raw archive of the run that published.")
def verify(**options: Any) -> Request:
    """Prove the published snapshot: raw archive, every partition in S3 and MySQL."""
    return Request("verify", **options)


@cli.command()
@click.argument("run_id", required=False)
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="Replay every run that published from this day on, …")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="… to this day, in order.")
@click.option("--to-prefix", help="Publish under this prefix of the bucket; with --to-database.")
@click.option("--to-database", help="Load into this database; with --to-prefix.")
@_json
@_gate
def replay(since: datetime | None, until: datetime | None, **options: Any) -> Request:
    r"""Publish once more what an earlier run received, from the raw archive.

    As if it had run then: after a repair of the program quarantined records are tried again. The next run publishes
    what the source says today.

    \b
    Examples:
      spacex-pipeline replay 20261125T101209Z-c7f52c84
      spacex-pipeline replay --from 2026-11-01 --to 2026-11-25 --to-prefix again --to-database again
    """
    if (options["run_id"] is None) == (since is None and until is None):
        raise click.UsageError("give either a run id, or --from and --to")
    if (options["to_prefix"] is None) != (options["to_database"] is None):
        raise click.UsageError("--to-prefix and --to-database go together: each alone would leave the other store as it is")
    return Request("replay", since=since and since.date(), until=until and until.date(), **options)


@cli.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@_json
@click.pass_context
def runs(context: click.Context, /, **options: Any) -> Request | None:
    """List what the last runs did; `runs show ID` tells all of one."""
    return None if context.invoked_subcommand else Request("runs", **options)


@runs.command()
@click.argument("run_id")
@_json
def show(**options: Any) -> Request:
    """Show everything that is known of one run."""
    return Request("runs", **options)


@cli.command()
@_json
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, if not spacex-report.html here or, with --publish, in the temporary directory.",
)
@click.option("--publish", is_flag=True, help="Put it into the bucket too, as report/report.html under the prefix.")
def report(**options: Any) -> Request:
    """Write what is published and what the last runs did as one HTML page that needs nothing beside it."""
    return Request("report", **options)


@cli.command()
@_json
def doctor(**options: Any) -> Request:
    """Look whether settings, source, S3, MySQL and CloudWatch are as a run needs them; change nothing."""
    return Request("doctor", **options)


@cli.command("init-db")
@_json
def init_db(**options: Any) -> Request:
    """Make the database and the program's user there, or give the user its new password."""
    return Request("init-db", **options)


def parse(arguments: list[str]) -> Request | int:
    """The request that the arguments make, or the exit code when help was asked for or they make none."""
    try:
        result = cli.main(arguments, prog_name="spacex-pipeline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except click.Abort:
        return 2
    return result if isinstance(result, Request) else int(result or 0)
