"""Where everything is written to: a database server, an S3 emulator, and a fresh place on both for each contender and round."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.program import Program
from tests.services import AwsEndpoint, Login, MysqlServer, create_database, drop_database

_STILL_S = 1.0
# As a server that is to lose nothing is run, in place of the options with which tests are quick.
_DURABLE = (
    "--innodb-buffer-pool-size=1G",
    "--loose-innodb-redo-log-capacity=1G",
    "--innodb-flush-method=O_DIRECT",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-doublewrite=ON",
    "--server-id=1",
    "--log-bin=bin",
    "--sync-binlog=1",
)
_SERVERS = {"mysqld", "mariadbd"}


@contextlib.contextmanager
def mysql(directory: Path) -> Iterator[Login]:
    """The administrator of the server that TEST_MYSQL_HOST, _PORT, _USER and _PASSWORD name, or of one of our own."""
    if host := os.environ.get("TEST_MYSQL_HOST"):
        port, user = int(os.environ.get("TEST_MYSQL_PORT", "3306")), os.environ.get("TEST_MYSQL_USER", "root")
        yield Login(host, port, user, os.environ.get("TEST_MYSQL_PASSWORD", ""))
        return
    with MysqlServer(directory, *_DURABLE) as server:
        yield server.admin


def server_pid(admin: Login) -> int | None:
    """The process of a database server on this machine; None where it is another's, as in a container."""
    data, name = admin.query("SELECT @@datadir, @@pid_file")[0]
    try:
        pid = int(Path(data, name).read_text())
        return pid if Path(f"/proc/{pid}/comm").read_text().strip() in _SERVERS else None
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def place(aws: AwsEndpoint, admin: Login, source_url: str, scratch: Path) -> Iterator[Program]:
    """A new bucket, a new database and a scratch directory, with the settings that lead there."""
    name = f"bench{secrets.token_hex(6)}"
    aws.create_bucket(name)
    login = create_database(admin, name, name, secrets.token_hex(12))
    staging = create_database(admin, f"{name}_staging", name, login.password)  # dlt merges from there
    for database in (login.database, staging.database):
        admin.query(f"ALTER DATABASE `{database}` CHARACTER SET utf8mb4")  # not every server's default, and peers state none
    (scratch / name).mkdir()
    environment = {
        **os.environ,
        **aws.environment(),
        **login.environment(),
        "S3_BUCKET": name,
        "SOURCE": "spacex",
        "SOURCE_URL": source_url,
        "RUN_TIMEOUT_S": "3600",
        "DLT_DATA_DIR": str(scratch / name),
        "TMPDIR": str(scratch / name),
    }
    try:
        yield Program(environment, aws, login)
    finally:
        admin.query(f"DROP DATABASE IF EXISTS `{staging.database}`")
        drop_database(admin, login)


def check(where: Program, launches: int) -> None:
    """Raises RuntimeError unless MySQL and the Parquet files hold so many launches."""
    in_mysql = where.login.query("SELECT COUNT(*) FROM `launches`")[0][0]
    files = [key for key in where.keys("") if "launches" in key.split("/") and key.endswith(".parquet")]
    filesystem = where.filesystem()
    in_s3 = sum(pq.read_metadata(f"{where.bucket}/{key}", filesystem=filesystem).num_rows for key in files)
    if (in_mysql, in_s3) != (launches, launches):
        raise RuntimeError(f"{launches} launches were to be written: MySQL has {in_mysql}, S3 {in_s3}")


def settle(admin: Login) -> None:
    """Wait while the server still writes out what the last contender left it to do, so that the next does not pay for it."""
    dirty, since = _dirty_pages(admin), time.monotonic()
    while dirty and time.monotonic() < since + _STILL_S:  # MariaDB may keep some for ever
        time.sleep(0.1)
        if (now := _dirty_pages(admin)) < dirty:
            dirty, since = now, time.monotonic()


def _dirty_pages(admin: Login) -> int:
    found: tuple[tuple[Any, ...], ...] = admin.query("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    return int(found[0][1])
