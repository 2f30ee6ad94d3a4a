"""What a local environment offers, whatever it is made of."""

import os
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pymysql

from app.sources import known
from tests.local.terminal import runs, say
from tests.services import AwsEndpoint, Login

BUCKET = "spacex-launches"
FROZEN, LIVING = "spacex", "launch_library"
LOG_GROUP = "/spacex-pipeline/local/run"
SAMPLE_QUERY = "SELECT launch_year, COUNT(*) AS launches, SUM(success) AS successes FROM launches GROUP BY launch_year"


class Stack(ABC):
    """A database, an S3 emulator and a source; how to look into them."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.outside = environment
        self.live = environment.get("LIVE", "") not in {"", "0"}
        self.source = environment.get("SOURCE", "").lower() or FROZEN
        if self.source not in known():
            raise SystemExit(f"SOURCE is {self.source!r}; it must be one of {', '.join(known())}")
        self.launches = environment.get("LAUNCHES", "")
        if self.launches and not self.launches.isdecimal():
            raise SystemExit(f"LAUNCHES is {self.launches!r}; it must be a number")

    @abstractmethod
    def up(self) -> None:
        """Start what does not run yet, and make what Terraform makes in AWS."""

    @abstractmethod
    def start(self, arguments: list[str]) -> int:
        """Run the program in front; its exit code."""

    @abstractmethod
    def change_sample(self, launch: str, fields: list[str]) -> str:
        """The id of the launch that the sample API now serves otherwise."""

    @abstractmethod
    def down(self) -> None:
        """Stop what was started here, and remove its data."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether the stores run."""

    @property
    @abstractmethod
    def login(self) -> Login:
        """The program's user of the database."""

    @property
    @abstractmethod
    def endpoint(self) -> AwsEndpoint:
        """S3 and CloudWatch Logs."""

    @property
    def place(self) -> str:
        """Prefix and database of this source: each has its own, and the public API's data are not the sample's."""
        return f"{self.source}_live" if self.live else self.source

    def settings(self) -> dict[str, str]:
        """The stores as this machine sees them: every setting of them that leads anywhere."""
        where = {"S3_BUCKET": BUCKET, "S3_PREFIX": f"{self.place}/", "LOG_GROUP": LOG_GROUP}
        return {**self.endpoint.environment(), **self.login.environment(), **where}

    def write_environment(self) -> None:
        """Keep the settings as a file for a shell; it also takes away what would lead to a real account."""
        lines = ["unset $(env | sed -n 's/^\\(AWS_[A-Z0-9_]*\\)=.*/\\1/p')"]
        lines += [f"export {key}={shlex.quote(value)}" for key, value in self.settings().items()]
        self.directory.mkdir(exist_ok=True)
        file = self.directory / "environment"
        file.touch(mode=0o600)
        file.write_text("\n".join([*lines, ""]))

    def run(self, arguments: list[str]) -> int:
        """Run the program on these services, say how to look further, pass its exit code on."""
        code = self.start(arguments)
        say("", "Look further:", *(f"  {line}" for line in self.hints()))
        again = " ".join([*(["LIVE=1"] if self.live else []), "make run-local"])
        say(f"Run it again: {again}{self._named_source}. End it: make down")
        if self.source == FROZEN:
            say(f"Source {FROZEN} has been frozen since 2022. The living one: {again} SOURCE={LIVING}")
        return code

    @property
    def _named_source(self) -> str:
        return "" if self.source == FROZEN else f" SOURCE={self.source}"

    def hints(self) -> list[str]:
        """Commands that work as printed, from the checkout."""
        lines = [f"{self.ask('sql')} {shlex.quote(SAMPLE_QUERY)}", self.ask(f"ls {self.place}/")]
        if runs("aws", "--version"):
            here = shlex.quote(os.path.relpath(self.directory))
            lines.append(f"(. {here}/environment; aws s3 ls --recursive s3://{BUCKET}/{self.place}/)")
        return lines

    def ask(self, command: str) -> str:
        """A command of `tests.local`, as it is typed."""
        given = [*(["LIVE=1"] if self.live else []), *([f"SOURCE={self.source}"] if self._named_source else [])]
        return " ".join([*given, shlex.quote(os.path.relpath(sys.executable)), "-m tests.local", command])

    def sql(self, statement: str) -> int:
        """Print what a statement gives: in columns on a terminal, elsewhere with tabs between."""
        try:
            with self.login.connect() as connection, connection.cursor() as cursor:
                cursor.execute(statement)
                names, rows = [column[0] for column in cursor.description or ()], cursor.fetchall()
        except pymysql.MySQLError as error:
            raise SystemExit(f"MySQL says: {error.args[-1]}") from None
        shown = [["NULL" if value is None else str(value) for value in row] for row in ([names] if names else []) + [*rows]]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)] if sys.stdout.isatty() else []
        for row in shown:
            print("  ".join(map(str.ljust, row, widths)).rstrip() if widths else "\t".join(row))
        return 0

    def change(self, launch: str, fields: list[str]) -> int:
        """Have the sample API serve a launch otherwise from now on."""
        if self.live or self.source != FROZEN:
            raise SystemExit(f"only launches of the sample of SOURCE={FROZEN} can be changed")
        print(f"changed: {self.change_sample(launch, fields)}")
        return 0

    def list_objects(self, prefix: str) -> int:
        """Print size and key of the objects in the bucket."""
        for page in self.endpoint.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            for item in page.get("Contents", []):
                print(f"{item['Size']:>10}  {item['Key']}")
        return 0
