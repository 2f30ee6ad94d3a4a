"""The command line: commands and options. What they do is in `commands/`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from . import __version__
from .request import Request
from .telemetry.output import conclude
from .telemetry.text import printable

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON result on stdout; log lines go to stderr.")


_rows = click.option(
    "--rows", type=click.IntRange(0), help="Newest rows of each table to show: 5 on a terminal, none in log lines."
)


def _gate(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--accept-shrink", is_flag=True, help="Let a table lose more rows than MAX_SHRINK_RATIO.")(command)
    return click.option(
        "--accept-source-change", is_flag=True, help="Replace the tables of another source by those of this one."
    )(command)


def _examples(*lines: str) -> str:
    """What stands below a command's options; the mark keeps the lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  spacex-pipeline {line}" for line in lines)])


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_examples(
        "run                  publish what has changed",
        "plan                 what a run would change, written nowhere",
        "verify --heal        prove both stores by their values, and repair them",
        "runs --limit 5       what the last runs did",
        "replay --help        options and examples of a command",
    ),
)
@click.version_option(__version__)
def cli() -> None:
    """Every SpaceX launch, proven equal in Parquet on S3 and in MySQL.

    Settings come from the environment, or from a file: --env-file. docs/settings.md has their table.
    """


@cli.command(epilog=_examples("run", "run --accept-shrink   after a refusal that a person has looked into"))
@_json
@_rows
@_gate
def run(**options: Any) -> Request:
    """Extract, validate, publish to S3 and MySQL, prove both equal."""
    return Request("run", **options)


@cli.command(epilog=_examples("plan", "plan --json | jq .plan.rows"))
@_json
@_rows
@_gate
def plan(**options: Any) -> Request:
    """Show what a run would change, and write nothing.

    Rows and columns, DDL, rejected records, the gate's verdict, and the first rows of each table.
    """
    return Request("plan", **options)


@cli.command(epilog=_examples("verify", "verify --heal"))
@_json
@click.option("--heal", is_flag=True, help="Repair what differs, from the raw archive or from the other store.")
def verify(**options: Any) -> Request:
    """Prove the published snapshot by its values.

    It reads back the raw archive and every partition in S3 and MySQL, and names the rows that differ.
    """
    return Request("verify", **options)


@cli.command(
    epilog=_examples(
        "replay 20261125T101209Z-c7f52c84",
        "replay --from 2026-11-01 --to 2026-11-25 --to-prefix again --to-database again",
        "replay --from 2024-01-01 --to-prefix again --to-database again --processes 8",
    )
)
@click.argument("run_id", required=False)
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="Replay every run that published from this day on, …")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="… to this day, in order.")
@click.option("--to-prefix", help="Publish under this prefix of the bucket; with --to-database.")
@click.option("--to-database", help="Load into this database; with --to-prefix.")
@click.option("--processes", type=click.IntRange(1), help="Read a range in so many processes, publish once; elsewhere only.")
@_json
@_rows
@_gate
def replay(since: datetime | None, until: datetime | None, **options: Any) -> Request:
    """Publish again what an earlier run received.

    It comes from the raw archive and takes the same path as a run, so that quarantined records are tried again after a fix.
    Elsewhere each run is dated as it was then; here, the next run publishes what the source says today.
    """
    if (options["run_id"] is None) == (since is None and until is None):
        raise click.UsageError("give either a run id, or --from and --to")
    if (options["to_prefix"] is None) != (options["to_database"] is None):
        raise click.UsageError("--to-prefix and --to-database go together: each alone would leave the other store as it is")
    if options["processes"] and (options["run_id"] or not options["to_prefix"]):
        raise click.UsageError("--processes is for a range elsewhere: give --from or --to, --to-prefix and --to-database")
    if since and until and since > until:
        raise click.UsageError(f"--from {since:%Y-%m-%d} is after --to {until:%Y-%m-%d}")
    return Request("replay", since=since and since.date(), until=until and until.date(), **options)


@cli.group(invoke_without_command=True, epilog=_examples("runs --limit 5", "runs show latest"))
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@_json
@click.pass_context
def runs(context: click.Context, /, **options: Any) -> Request | None:
    """List what the last runs did; `runs show ID` shows one in full, `runs show latest` the newest."""
    if not context.invoked_subcommand:
        return Request("runs", **options)
    if context.get_parameter_source("limit") is not ParameterSource.DEFAULT:
        raise click.UsageError("--limit is for the list: show has one run", context)
    return None


@runs.command(epilog=_examples("runs show latest", "runs show 20261125T101209Z-c7f52c84"))
@click.argument("run_id")
@_json
@click.pass_context
def show(context: click.Context, /, *, as_json: bool, **options: Any) -> Request:
    """Show everything that is known of one run."""
    assert context.parent
    return Request("runs", as_json=as_json or context.parent.params["as_json"], **options)


@cli.group(
    invoke_without_command=True, epilog=_examples("snapshot --limit 5", "snapshot show latest", "snapshot urls latest --json")
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@_json
@click.pass_context
def snapshot(context: click.Context, /, **options: Any) -> Request | None:
    """List the published snapshots; `show` shows what one holds, `urls` where anybody can read it.

    A run's id names its snapshot, `latest` the newest.
    """
    if not context.invoked_subcommand:
        return Request("snapshot", **options)
    if context.get_parameter_source("limit") is not ParameterSource.DEFAULT:
        raise click.UsageError("--limit is for the list: show and urls are of one snapshot", context)
    return None


@snapshot.command("show", epilog=_examples("snapshot show latest", "snapshot show 20261125T101209Z-c7f52c84 --json"))
@click.argument("run_id")
@_json
@click.pass_context
def show_snapshot(context: click.Context, /, *, as_json: bool, **options: Any) -> Request:
    """Show what one snapshot holds: tables, files, versions."""
    assert context.parent
    return Request("snapshot", action="show", as_json=as_json or context.parent.params["as_json"], **options)


@snapshot.command(
    epilog=_examples(
        "snapshot urls latest --json | jq -r '.[].url'",
        "snapshot urls 20261125T101209Z-c7f52c84 --table launches --table launch_cores --lifetime 86400",
    )
)
@click.argument("run_id")
@click.option("--table", "tables", multiple=True, help="Only this table; may be repeated.")
@click.option(
    "--lifetime",
    "lifetime_s",
    type=click.IntRange(1, 604_800),
    default=3_600,
    show_default=True,
    help="Seconds that the URLs work; with credentials of a role no longer than these do.",
)
@_json
@click.pass_context
def urls(context: click.Context, /, *, as_json: bool, **options: Any) -> Request:
    """Sign a URL for each file of a snapshot.

    Whoever has the URLs can read these versions over HTTPS, without credentials: keep them to yourself.
    """
    assert context.parent
    return Request("snapshot", action="urls", as_json=as_json or context.parent.params["as_json"], **options)


@cli.command(epilog=_examples("report --out launches.html", "report --publish"))
@_json
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, if not spacex-report.html here or, with --publish, in the temporary directory.",
)
@click.option("--publish", is_flag=True, help="Put it into the bucket too, as report/report.html under the prefix.")
def report(**options: Any) -> Request:
    """Write one HTML page of charts, data quality and runs.

    It shows the published snapshot and needs no other file.
    """
    return Request("report", **options)


@cli.command(epilog=_examples("doctor", "doctor --json | jq '.[] | select(.passed | not)'"))
@_json
def doctor(**options: Any) -> Request:
    """Check that a run has everything it needs.

    Settings, source, S3, MySQL and CloudWatch; nothing is changed.
    """
    return Request("doctor", **options)


@cli.command(epilog=_examples("maintain"))
@_json
def maintain(**options: Any) -> Request:
    """Take away what Iceberg no longer needs.

    Snapshots older than 90 days, and files as old that no snapshot names. Without ICEBERG_CATALOG there is nothing to do.
    """
    return Request("maintain", **options)


@cli.command(
    "init-db",
    epilog=_examples(
        "init-db                       with MYSQL_ADMIN_USER and MYSQL_ADMIN_PASSWORD set",
        "init-db --to-database again   a second database, for a replay elsewhere",
    ),
)
@_json
@click.option("--to-database", help="Create this database in place of MYSQL_DATABASE: the one that a replay loads into.")
def init_db(**options: Any) -> Request:
    """Create the database and the program's user.

    The user gets the rights of a run; one that is there already gets the password that is set.
    """
    return Request("init-db", **options)


def _keep(context: click.Context, _: click.Parameter, files: tuple[Path, ...]) -> None:
    context.obj.extend(files)


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        yield from _commands(below)


for _command in _commands(cli):  # before a command or after it
    click.option(
        "--env-file",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        callback=_keep,
        expose_value=False,
        help="Read settings from a file of NAME=value; variables that are set win.",
    )(_command)


def parse(arguments: list[str]) -> Request | int:
    """The request that the arguments make, or the exit code when help was asked for or they make none."""
    files: list[Path] = []
    try:
        result = cli.main(arguments, prog_name="spacex-pipeline", standalone_mode=False, obj=files)
    except click.ClickException as error:
        return _refused(error)
    except click.Abort:
        return 2
    if isinstance(result, Request):
        return replace(result, env_files=tuple(files))
    conclude("help or version was asked for", sys.stdout)
    return int(result or 0)


def _refused(error: click.ClickException) -> int:
    """Show what is wrong with the arguments, which may hold anything; the exit code."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        print(error.format_message(), file=sys.stderr)  # noqa: T201  # likewise
        return 2
    message = f"Error: {printable(error.format_message())}"
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = [context.get_usage(), f"Try '{context.command_path} -h' for help.", ""] if context else []
    print(*usage, message, sep="\n", file=sys.stderr)  # noqa: T201  # there is no logger yet
    conclude(message, sys.stderr)
    return 2
