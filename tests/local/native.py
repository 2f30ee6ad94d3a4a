"""The local environment as ordinary processes: a database server, moto's server and the sample API."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.local.stack import BUCKET, LOG_GROUP, Stack
from tests.local.terminal import run_in_front, say
from tests.services import AwsEndpoint, Login, MotoServer, MysqlServer, SampleApi, Server
from tests.services.aws import without_settings


class NativeStack(Stack):
    """The services of one checkout; their data, ports and process ids are in one directory."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__(directory, environment)
        self.mysql = MysqlServer(directory / "mysql")
        self.moto = MotoServer(directory / "moto")
        self.sample = SampleApi(directory / "sample", launches=int(self.launches) if self.launches else None)

    @property
    def services(self) -> list[Server]:
        """What this run needs."""
        return [self.mysql, self.moto] if self.live else [self.mysql, self.moto, self.sample]

    def up(self) -> None:
        """Start what does not run yet, and make the bucket and the log group that Terraform makes in AWS."""
        for service in self.services:
            started = service.ensure()
            say(f"{service.name}: {'started' if started else 'runs'} on 127.0.0.1:{service.port}")
        self.endpoint.create_bucket(BUCKET)
        self.endpoint.create_log_group(LOG_GROUP)
        self.write_environment()

    @property
    def running(self) -> bool:
        """Whether database and S3 run."""
        return self.mysql.running and self.moto.running

    @property
    def login(self) -> Login:
        """The program's user."""
        return self.mysql.login

    @property
    def endpoint(self) -> AwsEndpoint:
        """moto's server."""
        return self.moto.endpoint

    def settings(self) -> dict[str, str]:
        """The stores, and the source."""
        source = {"SOURCE": self.outside.get("SOURCE") or "spacex"}
        if not self.live:
            source["SOURCE_URL"] = self.sample.url
        elif token := self.outside.get("LAUNCH_LIBRARY_TOKEN"):
            source["LAUNCH_LIBRARY_TOKEN"] = token
        return super().settings() | source

    def start(self, arguments: list[str]) -> int:
        """Run the program of this checkout."""
        command = [sys.executable, "-m", "app", "run", *arguments]
        return run_in_front(command, without_settings(self.outside) | self.settings())

    def ask(self, command: str) -> str:
        """SQL is asked with the database's own client, where there is one."""
        client = shutil.which("mariadb") or shutil.which("mysql")
        if command == "sql" and client:
            options = os.path.relpath(self.directory / "mysql" / f"{self.login.user}.cnf")
            return f"{Path(client).name} --defaults-file={shlex.quote(options)} --table -e"
        return super().ask(command)

    def down(self) -> None:
        """Stop what was started here, and remove its data."""
        for service in (self.sample, self.moto, self.mysql):
            if service.running:
                service.stop()
                say(f"{service.name}: stopped")
        shutil.rmtree(self.directory, ignore_errors=True)
