"""The program as a process, and both stores as an outsider reads them."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import Any

import pyarrow.dataset as ds
import pyarrow.fs

from tests import forked
from tests.services import AwsEndpoint, Login

KEYS = {
    "launches": ("launch_id",),
    "launch_cores": ("launch_id", "position"),
    "launch_payloads": ("launch_id", "position"),
    "launch_failures": ("launch_id", "position"),
    "launch_crew": ("launch_id", "position"),
    "launch_changes": ("launch_id", "run_id", "column_name"),
}
ONLY_IN_MYSQL = {"changed_run_id", "changed_at"}  # but in launch_changes, where the second is a fact
ONLY_IN_PATH = {"year"}
QUICK = {
    "SSL_CERT_FILE": "/dev/null",
    "SSL_CERT_DIR": "/dev/null",
}  # every client, the tests' too, reads the system's authorities, to trust none here; that takes 20 ms of processor time
SEEN_AT_START = ("ARROW_", "LANG", "LC_", "LD_", "PYTHON", "TZ")  # by Python itself, or by the libraries


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The result of a command with --json."""
        return dict(json.loads(self.stdout))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of a command without it, metrics left out."""
        return [line for text in self.stdout.splitlines() if "_aws" not in (line := json.loads(text))]


class Program:
    """Runs commands with one set of settings, and reads what they left behind."""

    may_fork = True
    """Commands that are waited for may be forks of a process that has imported the program, which is quicker than a start."""

    def __init__(self, environment: Mapping[str, str], aws: AwsEndpoint, login: Login) -> None:
        self.environment = dict(environment)
        self.aws = aws
        self.login = login
        self.bucket = environment["S3_BUCKET"]

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int | None = 0, **settings: str) -> Ended:
        """Run a command to its end; it must exit with `code`, unless that is None."""
        environment = {**self.environment, **settings}
        is_forked = self.may_fork and _is_like_a_start(environment)
        ended = _forked(environment, arguments) if is_forked else self._started(*arguments, **settings)
        out, err = ended.stdout, ended.stderr
        assert code is None or ended.code == code, f"exit {ended.code}, not {code}:\n{out[-3000:]}\n{err[-3000:]}"
        assert "Traceback (most recent call last)" not in out + err
        return ended

    def _started(self, *arguments: str, **settings: str) -> Ended:
        process = self.start(*arguments, **settings)
        out, err = process.communicate(timeout=120)
        return Ended(process.returncode, out, err)

    def run(self, *arguments: str, code: int | None = 0, **settings: str) -> dict[str, Any]:
        """The result of one run."""
        return self("run", "--json", *arguments, code=code, **settings).result

    def tables(self) -> list[str]:
        """The tables of the database; views are none."""
        return [name for name, _ in self.login.query("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")]

    # --- what an outsider reads -----------------------------------------------------------------------------------

    def in_mysql(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, in the order of the key, facts only; times as aware UTC."""
        return self.all_in_mysql([table])[table]

    def all_in_mysql(self, tables: Iterable[str] = KEYS) -> dict[str, list[dict[str, Any]]]:
        """The same of many tables, those of the program if none are named, on one connection."""
        found = {}
        with self.login.connect() as connection, connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"SELECT * FROM `{table}`")
                names = [column[0] for column in cursor.description]
                found[table] = _facts(table, [dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
        return found

    def in_s3(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table's files, read by pyarrow in one call with its defaults."""
        found = ds.dataset(f"{self.bucket}/{table}", partitioning="hive", filesystem=self.filesystem()).to_table()
        return _facts(table, found.to_pylist())

    def filesystem(self) -> pyarrow.fs.S3FileSystem:
        """The bucket's server for readers of Parquet."""
        return _filesystem(self.environment["AWS_ENDPOINT_URL"].removeprefix("http://"))

    def keys(self, prefix: str = "") -> list[str]:
        """The keys in the bucket."""
        pages = self.aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def versions(self, prefix: str = "") -> set[tuple[str, str]]:
        """All versions of all keys: what was ever put."""
        pages = self.aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        return {(item["Key"], item["VersionId"]) for page in pages for item in page.get("Versions", [])}

    def object(self, key: str) -> bytes:
        """One object."""
        return bytes(self.aws.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def manifest(self) -> dict[str, Any]:
        """The manifest that is published."""
        return dict(json.loads(self.object(json.loads(self.object("manifests/latest.json"))["manifest"])))

    def put_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Put another manifest in the place of the published one; the pointer has its digest."""
        s3, pointer = self.aws.client("s3"), json.loads(self.object("manifests/latest.json"))
        body = json.dumps(manifest).encode()
        s3.put_object(Bucket=self.bucket, Key=pointer["manifest"], Body=body)
        pointer["sha256"] = hashlib.sha256(body).hexdigest()
        s3.put_object(Bucket=self.bucket, Key="manifests/latest.json", Body=json.dumps(pointer).encode())

    def assert_equal(self, launches: int | None = None) -> None:
        """Both stores hold the same rows, value by value, and `verify` agrees."""
        rows = self.all_in_mysql()
        keys = self.keys()
        for table, in_mysql in rows.items():
            in_s3 = self.in_s3(table) if any(key.startswith(f"{table}/") for key in keys) else []
            assert _as_text(in_mysql) == _as_text(in_s3), table
        if launches is not None:
            assert len(rows["launches"]) == launches
        self("verify", "--json")


def _is_like_a_start(environment: Mapping[str, str]) -> bool:
    """Whether a fork is like a start: nothing in the environment is only seen at a start."""
    seen = {name for name in environment if name.startswith(SEEN_AT_START)}
    return all(environment[name] == os.environ.get(name) for name in seen)


def _forked(environment: dict[str, str], arguments: Sequence[str]) -> Ended:
    with tempfile.NamedTemporaryFile("r+") as out, tempfile.NamedTemporaryFile("r+") as err:
        code = forked.call(forked.main, environment, list(arguments), out.name, err.name, frames="report" in arguments)
        return Ended(code, out.read(), err.read())


@cache
def _filesystem(endpoint: str) -> pyarrow.fs.S3FileSystem:
    return pyarrow.fs.S3FileSystem(
        access_key="test", secret_key="test", endpoint_override=endpoint, scheme="http", region="us-east-1"
    )


def _facts(table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        for name in ONLY_IN_PATH | (ONLY_IN_MYSQL if table != "launch_changes" else set()):
            row.pop(name, None)
        for name, value in row.items():
            if hasattr(value, "tzinfo"):
                row[name] = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return sorted(rows, key=lambda row: tuple(row[k] for k in KEYS[table]))


def _as_text(rows: list[dict[str, Any]]) -> list[str]:
    """Rows as text in which true is 1 and column order does not matter."""
    plain = [{k: int(v) if isinstance(v, bool) else v for k, v in row.items()} for row in rows]
    return [repr(sorted(row.items())) for row in plain]
