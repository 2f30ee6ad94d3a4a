"""Runs the program end to end on throw-away services, and has every AWS call that it makes written down.

python -m tests.infra.record.calls FILE      # in the program's own environment, not in that of the infrastructure tests

Those of a backfill, which a job of Spark makes too, are in FILE.spark.
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from tests.program import Program
from tests.sample_api import SampleApi, records
from tests.services import MotoServer, MysqlServer, create_database
from tests.services.aws import without_settings
from tests.services.clock import shifted

HERE = Path(__file__).resolve().parent
GROUP = "/recorded/run"


def runs(program: Program, api: SampleApi) -> None:
    """What commands may do to bucket and log: publish, leave alone, set aside, take away, heal, prove, replay, report, look."""
    launches = [records.launch(i) for i in range(records.LAUNCHES)]
    program("run", AWS_LOSE_ANSWERS="1")
    program("run")
    launches[-1] = {**launches[-1], "date_utc": "some day"}  # rejected: its last good rows stay
    # Years that leave an empty partition in every table: failures in one, crew in the other.
    fewer = [launch for launch in launches if launch["date_utc"][:4] not in ("2006", "2020")]
    api.set_launches(fewer)
    program("run", "--accept-shrink", AWS_LOSE_ANSWERS="1")
    s3 = program.aws.client("s3")
    s3.delete_object(Bucket=program.bucket, Key=program.keys("launches/")[0])
    # As if a run had been killed before its commit, and what it saw was taken back.
    s3.put_object(Bucket=program.bucket, Key="launch_changes/year=1999/launch_changes.parquet", Body=b"")
    program("verify", code=8)
    program("run")
    program("verify")
    api.set_launches([])
    refused = program("run", code=4).lines[-1]["run_id"]
    program("replay", refused, code=4)  # what it received
    program("replay", "--from", "2020-01-01", "--accept-shrink")
    # The manifest is overwritten: its earlier version is read.
    s3.put_object(Bucket=program.bucket, Key=program.keys("manifests/run=")[-1], Body=b"{}")
    program("report", "--publish", "--out", os.devnull)
    program("doctor")
    program("snapshot", "urls", "latest", "--json")
    api.set_launches(fewer)
    iceberg(program)


def iceberg(program: Program) -> None:
    """Make the Iceberg tables; verify; lose what the catalog names, so that all are made anew; tidy up."""
    program.aws.client("glue").create_database(DatabaseInput={"Name": "spacex"})  # on AWS it is Terraform's
    on = {"ICEBERG_CATALOG": "glue"}
    program("run", **on)
    program("verify", **on)
    s3 = program.aws.client("s3")
    for key in program.keys("iceberg/"):
        if key.endswith(".metadata.json"):
            s3.delete_object(Bucket=program.bucket, Key=key)
    program("verify", code=8, **on)
    program("run", **on)
    program("maintain", **on, **shifted("+91d"))


def backfill(program: Program, api: SampleApi, elsewhere: str, calls: str) -> None:
    """What a replay of a range elsewhere may do, in processes as on a cluster: begin, lose an answer, go on, take away."""
    place = ("--to-prefix", "replays/again", "--to-database", elsewhere)
    everything = ("replay", "--from", "2020-01-01", "--processes", "2", *place)
    launches = [records.launch(i) for i in range(records.LAUNCHES)]
    api.set_launches(launches)
    program("run")
    program(*everything, AWS_CALLS=calls, AWS_LOSE_ANSWERS="1")
    rejected = {**launches[-1], "date_utc": "some day"}
    api.set_launches([*(one for one in launches[:-1] if one["date_utc"][:4] not in ("2006", "2020")), rejected])
    program("run", "--accept-shrink")
    program(*everything, "--accept-shrink", AWS_CALLS=calls)


def main(calls: Path) -> None:
    """Start the services, and the program with our hooks in it."""
    with tempfile.TemporaryDirectory() as folder, MotoServer(Path(folder, "moto")) as moto, SampleApi() as api:
        aws, bucket = moto.endpoint, f"recorded-{secrets.token_hex(4)}"
        aws.create_bucket(bucket)
        aws.create_log_group(GROUP)
        with MysqlServer(Path(folder, "mysql")) as mysql:
            settings = {
                **without_settings(os.environ),
                **aws.environment(),
                **mysql.login.environment(),
                "SOURCE_URL": api.url,
                "S3_BUCKET": bucket,
                "LOG_GROUP": GROUP,
                "PYTHONPATH": str(HERE),  # sitecustomize.py
                "AWS_CALLS": str(calls.resolve()),
            }
            runs(Program(settings, aws, mysql.login), api)
            # Another lake: in the first one is a manifest that can't be read.
            aws.create_bucket(f"{bucket}-2")
            user = (mysql.login.user, mysql.login.password)
            home, elsewhere = (create_database(mysql.admin, name, *user) for name in ("home", "elsewhere"))
            settings |= {**home.environment(), "S3_BUCKET": f"{bucket}-2", "LOG_GROUP": "", "AWS_CALLS": ""}
            backfill(Program(settings, aws, home), api, elsewhere.database, f"{calls.resolve()}.spark")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
