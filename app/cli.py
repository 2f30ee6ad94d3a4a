"""The command line: what can be asked for. What then happens is in `__main__`."""

from collections.abc import Callable
from dataclasses import dataclass
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
      spacex-pipeline verify           prove both stores by their values
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
def verify(**options: Any) -> Request:
    """Prove the published snapshot: raw archive, every partition in S3 and MySQL."""
    return Request("verify", **options)


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
