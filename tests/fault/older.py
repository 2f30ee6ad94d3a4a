"""Both stores as schema version 1 left them.

Columns have other names, a change has no source, an empty table no file, and a file no digest of its bytes.
"""

import hashlib
import io
from datetime import datetime
from functools import reduce
from operator import xor
from typing import Any

import pyarrow.parquet as pq

from app.core.views import VIEWS
from tests.fault.world import HISTORY, World

NAMES = {
    HISTORY: {"column_name": "column", "old_value": "old", "new_value": "new"},
    "launch_cores": {"core_flight_number": "flight_number"},
}
FACTS = ("launch_id", "run_id", "changed_at", "column_name", "old_value", "new_value", "launch_year")


def set_back(world: World) -> None:
    """Make both stores what they were before schema version 2; what they hold stays the same."""
    set_back_mysql(world)
    set_back_s3(world)


def set_back_mysql(world: World) -> None:
    changes = world.in_mysql(HISTORY)
    for table, names in NAMES.items():
        renamed = ", ".join(f"RENAME COLUMN `{name}` TO `{old}`" for name, old in names.items())
        world.login.query(f"ALTER TABLE {table} {renamed}{', DROP COLUMN source' if table == HISTORY else ''}")
    for row in changes:
        world.login.query(
            "UPDATE launch_changes SET row_hash = %s WHERE launch_id = %s AND run_id = %s AND `column` = %s",
            *(row_hash(row), row["launch_id"], row["run_id"], row["column_name"]),
        )
    for view in VIEWS:
        world.login.query(f"DROP VIEW IF EXISTS {view}")
    world.login.query("ALTER TABLE pipeline_runs COMMENT ''")
    world.login.query("ALTER TABLE launches MODIFY details MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, COMMENT ''")
    world.login.query("UPDATE pipeline_runs SET schema_version = 1")


def set_back_s3(world: World) -> None:
    manifest, files = world.manifest(), []
    s3 = world.aws.client("s3")
    for file in manifest["files"]:
        del file["sha256"]
        place = {"Bucket": world.bucket, "Key": file["key"]}
        if not file["rows"]:
            s3.delete_object(**place)
            continue
        if file["table"] in NAMES:
            rows = pq.read_table(io.BytesIO(s3.get_object(**place, VersionId=file["version_id"])["Body"].read()))
            if file["table"] == HISTORY:
                hashes = [row_hash(row) for row in rows.to_pylist()]
                rows = rows.drop_columns(["source", "row_hash"]).append_column("row_hash", [hashes])
                file["digest"] = f"{reduce(xor, (int(one, 16) for one in hashes)):032x}"
            names = NAMES[file["table"]]
            pq.write_table(rows.rename_columns([names.get(name, name) for name in rows.column_names]), body := io.BytesIO())
            put = s3.put_object(**place, Body=body.getvalue())
            file |= {"version_id": put["VersionId"], "etag": put["ETag"], "size": len(body.getvalue())}
        files.append(file)
    world.put_manifest({**manifest, "files": files, "schema_version": 1})


def row_hash(row: dict[str, Any]) -> str:
    """The rule of the contract, over the facts that there were."""
    facts = [f"{v:%Y-%m-%d %H:%M:%S.%f}" if isinstance(v, datetime) else v for v in (row[name] for name in FACTS)]
    text = "".join("-" if fact is None else f"{len(str(fact).encode())}:{fact}" for fact in facts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
