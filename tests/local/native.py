"""The local environment as ordinary processes: a database server, moto's server and the sample API."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.local.terminal import run_in_front, runs, say
from tests.services import MotoServer, MysqlServer, SampleApi, Server
from tests.services.aws import without_settings

BUCKET = "spacex-launches"
LOG_GROUP = "/spacex-pipeline/local/run"
SAMPLE_QUERY = "SELECT launch_year, COUNT(*) AS launches, SUM(success) AS successes FROM launches GROUP BY launch_year"


class Stack:
    """The services of one checkout; their data, ports and process ids are in one directory."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self._outside = environment
        self._live = environment.get("LIVE", "") not in {"", "0"}
        size = environment.get("LAUNCHES", "")
        if size and not size.isdecimal():
            raise SystemExit(f"LAUNCHES is {size!r}; it must be a number")
        self.mysql = MysqlServer(directory / "mysql")
        self.moto = MotoServer(directory / "moto")
        self.sample = SampleApi(directory / "sample", launches=int(size) if size else None)

    @property
    def services(self) -> list[Server]:
        """What this run needs."""
        return [self.mysql, self.moto] if self._live else [self.mysql, self.moto, self.sample]

    def up(self) -> None:
        """Start what does not run yet, and make the bucket and the log group that Terraform makes in AWS."""
        for service in self.services:
            started = service.ensure()
            say(f"{service.name}: {'started' if started else 'runs'} on 127.0.0.1:{service.port}")
        endpoint = self.moto.endpoint
        endpoint.create_bucket(BUCKET)
        endpoint.create_log_group(LOG_GROUP)
        self.write_environment()

    def settings(self) -> dict[str, str]:
        """Every setting of the program that leads anywhere."""
        source = {"SOURCE": self._outside.get("SOURCE") or "spacex"}
        if not self._live:
            source["SOURCE_URL"] = self.sample.url
        elif token := self._outside.get("LAUNCH_LIBRARY_TOKEN"):
            source["LAUNCH_LIBRARY_TOKEN"] = token
        return {
            **self.moto.endpoint.environment(),
            **self.mysql.login.environment(),
            **source,
            "S3_BUCKET": BUCKET,
            "S3_PREFIX": "",
            "LOG_GROUP": LOG_GROUP,
        }

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
        command = [sys.executable, "-m", "app", "run", *arguments]
        code = run_in_front(command, without_settings(self._outside) | self.settings())
        say("", "Look further:", *(f"  {line}" for line in self.hints()))
        say("Run it again: make run-local. End it: make down")
        return code

    def hints(self) -> list[str]:
        """Commands that work as printed, from the checkout."""
        python = shlex.quote(os.path.relpath(sys.executable))
        here = shlex.quote(os.path.relpath(self.directory))
        client = shutil.which("mariadb") or shutil.which("mysql")
        sql = f"{python} -m tests.local sql"
        if client:
            sql = f"{Path(client).name} --defaults-file={here}/mysql/{self.mysql.login.user}.cnf --table -e"
        lines = [f"{sql} {shlex.quote(SAMPLE_QUERY)}", f"{python} -m tests.local ls"]
        if runs("aws", "--version"):
            lines.append(f"(. {here}/environment; aws s3 ls --recursive s3://{BUCKET})")
        return lines

    def sql(self, statement: str) -> int:
        """Print what a statement gives, with tabs between."""
        self._need(self.mysql)
        with self.mysql.login.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            if cursor.description:
                print(*(column[0] for column in cursor.description), sep="\t")
            for row in cursor.fetchall():
                print(*("NULL" if value is None else value for value in row), sep="\t")
        return 0

    def list_objects(self, prefix: str) -> int:
        """Print size and key of the objects in the bucket."""
        self._need(self.moto)
        pages = self.moto.endpoint.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", []):
                print(f"{item['Size']:>10}  {item['Key']}")
        return 0

    def down(self) -> None:
        """Stop what was started here, and remove its data."""
        for service in (self.sample, self.moto, self.mysql):
            if service.running:
                service.stop()
                say(f"{service.name}: stopped")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _need(self, service: Server) -> None:
        if not service.running:
            raise SystemExit(f"the {service.name} does not run: make run-local starts it")
