"""`python -m tests.local up|run|sql|ls|change|down`: the pipeline and everything it needs, on this machine."""

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.local import docker
from tests.local.docker import DockerStack
from tests.local.native import NativeStack
from tests.local.stack import Stack
from tests.services import ServerFailed
from tests.services.aws import without_settings

ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Carry out one command; for `run` the exit code is the program's own."""
    given = parse(arguments)
    os.chdir(ROOT)  # so that `python -m` finds this checkout's packages, and printed commands work as they stand
    outside = dict(os.environ)
    os.environ.clear()
    os.environ.update(without_settings(outside))  # nothing that we start or ask can find a real account
    with one_at_a_time():  # what runs is read under the lock
        if given.command in {"up", "run"}:
            stack = choose(outside)
            stack.up()
        elif given.command == "down":
            if not docker.problem(ROOT):
                of_engine("docker", outside).down()
            of_engine("native", outside).down()
            return 0
        else:
            stack = of_engine(outside.get("ENGINE", ""), outside)
            if not stack.running:
                raise SystemExit("nothing runs here: make run-local starts it")
    match given.command:
        case "run":
            return stack.run(given.arguments)
        case "sql":
            return stack.sql(given.statement)
        case "ls":
            return stack.list_objects(given.prefix)
        case "change":
            return stack.change(given.launch, given.fields)
        case _:
            return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; whatever follows `run` is the program's."""
    parser = argparse.ArgumentParser(prog="python -m tests.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="start what the pipeline needs")
    commands.add_parser("run", help="start it and run the pipeline; what follows is for `python -m app run`")
    sql = commands.add_parser("sql", help="run a statement on the local database")
    sql.add_argument("statement")
    listing = commands.add_parser("ls", help="list the objects in the local bucket")
    listing.add_argument("prefix", nargs="?", default="")
    change = commands.add_parser("change", help="have the sample API serve a launch otherwise: a date that slips, a bad value")
    change.add_argument("launch", help="its name or id")
    change.add_argument("fields", nargs="+", metavar="FIELD=VALUE", help="JSON, or text: date_utc=2022-12-20T11:46:00.000Z")
    commands.add_parser("down", help="stop it and remove its data")
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command != "run":
        parser.error(f"unknown: {' '.join(rest)}")
    given.arguments = rest
    return given


def choose(outside: Mapping[str, str]) -> Stack:
    """The stack that ENGINE names, or containers where they can be had; why they can't is said in one line."""
    wanted = outside.get("ENGINE", "")
    if wanted not in {"", "docker", "native"}:
        raise SystemExit(f"ENGINE is {wanted!r}; it can be docker or native")
    if wanted != "native":
        problem = docker.problem(ROOT) or DockerStack(ROOT / ".local", outside).obtain()
        if problem and wanted == "docker":
            raise SystemExit(f"ENGINE=docker can't be had: {problem}")
        if problem:
            print(f"Running natively: {problem}", file=sys.stderr)
        wanted = "native" if problem else "docker"
    return of_engine(wanted, outside)


def of_engine(engine: str, outside: Mapping[str, str]) -> Stack:
    """The stack of an engine; native where none is named."""
    return (DockerStack if engine == "docker" else NativeStack)(ROOT / ".local", outside)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock on the checkout, so that two calls do not start the same services."""
    checkout = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # whoever read the output has left, as head does; there is nowhere to say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ServerFailed as failure:
        sys.exit(f"{failure}\nmake down removes what is left, for a fresh start.")
