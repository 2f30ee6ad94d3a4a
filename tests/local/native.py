"""The local environment as ordinary processes: a database server, moto's server and the sample API."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.local.stack import BUCKET, LOG_GROUP, Stack
from tests.local.terminal import run_in_front, say
from tests.sample_api.change import change
from tests.services import AwsEndpoint, Login, MotoServer, MysqlServer, SampleApi, Server, create_database
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
            begun = time.monotonic()
            started = service.ensure()
            how = f"started after {time.monotonic() - begun:.0f} s" if started else "runs"
            say(f"{service.name}: {how} on 127.0.0.1:{service.port}")
        admin, user = self.mysql.admin, self.mysql.login
        create_database(admin, self.place, user.user, user.password).write(self._options)
        self.endpoint.create_bucket(BUCKET)
        self.endpoint.create_log_group(LOG_GROUP)
        self.write_environment()

    @property
    def running(self) -> bool:
        """Whether database and S3 run."""
        return self.mysql.running and self.moto.running

    @property
    def login(self) -> Login:
        """The program's user, in this source's database."""
        return replace(self.mysql.login, database=self.place)

    @property
    def endpoint(self) -> AwsEndpoint:
        """moto's server."""
        return self.moto.endpoint

    def settings(self) -> dict[str, str]:
        """The stores, and the source."""
        source = {"SOURCE": self.source}
        if not self.live:
            source["SOURCE_URL"] = self.sample.url
        elif token := self.outside.get("LAUNCH_LIBRARY_TOKEN"):
            source["LAUNCH_LIBRARY_TOKEN"] = token
        return super().settings() | source

    def start(self, arguments: list[str]) -> int:
        """Run the program of this checkout."""
        command = [sys.executable, "-m", "app", "run", *arguments]
        return run_in_front(command, without_settings(self.outside) | self.settings())

    def change_sample(self, launch: str, fields: list[str]) -> str:
        """The sample API is asked."""
        try:
            return change(self.sample.url, launch, fields)
        except ValueError as error:
            raise SystemExit(str(error)) from None

    def ask(self, command: str) -> str:
        """SQL is asked with the database's own client, where there is one."""
        client = shutil.which("mariadb") or shutil.which("mysql")
        if command == "sql" and client:
            return f"{Path(client).name} --defaults-file={shlex.quote(os.path.relpath(self._options))} --table -e"
        return super().ask(command)

    @property
    def _options(self) -> Path:
        return self.directory / f"{self.place}.cnf"

    def down(self) -> None:
        """Stop what was started here, and remove its data."""
        for service in (self.sample, self.moto, self.mysql):
            if service.running:
                service.stop()
                say(f"{service.name}: stopped")
        shutil.rmtree(self.directory, ignore_errors=True)
