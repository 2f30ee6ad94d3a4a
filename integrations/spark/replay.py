"""`replay` of a range on Apache Spark: executors read the answers of many runs, follow them, and put the partitions.

All of it is done by the program's own functions; this file says what runs where. How to start it: docs/schedulers.md.
"""

import argparse
import contextlib
import functools
import importlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema
from spacex_pipeline import cli, errors
from spacex_pipeline.commands import replay, wiring
from spacex_pipeline.core.checksum.digest import Checksum
from spacex_pipeline.core.model import PartitionKey, Run, StoredObject, WrittenFile
from spacex_pipeline.core.schema import LAUNCH_CHANGES, LAUNCHES
from spacex_pipeline.core.spans import SPANS
from spacex_pipeline.lake.store import S3Lake
from spacex_pipeline.pipeline.backfill import Chunk, Followed, Reader, Repeated, as_spans, chunks, followed
from spacex_pipeline.settings import Settings
from spacex_pipeline.telemetry.stages import Telemetry

KEY = LAUNCHES.key[0]
CHUNK = 25
PACKED = pa.schema([("history", pa.binary()), ("retained", pa.list_(pa.string())), ("places", pa.list_(pa.int64()))])
RUNS = pa.schema([("place", pa.int64()), ("id", pa.string()), ("as_of", pa.string())])

Batches = Iterator[pa.RecordBatch]


class OnSpark:
    """An engine of the cluster that Spark's own settings name; so many runs are one task."""

    def __init__(self, chunk: int, settings: Settings) -> None:
        self._chunk, self._settings = chunk, settings.without_secrets()  # executors go to S3 alone

    @functools.cached_property
    def spark(self) -> SparkSession:
        """The session, begun when it is first needed; Ctrl-C stays the program's."""
        ours = signal.getsignal(signal.SIGINT)
        try:
            # Times are UTC wherever the machines are; batches, each of which is copied three times, stay small.
            options = {"spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.maxRecordsPerBatch": "5000"}
            return SparkSession.builder.appName("spacex-pipeline replay").config(map=options).getOrCreate()
        finally:
            signal.signal(signal.SIGINT, ours)

    def make_lake(self, settings: Settings, warn: Callable[[str], None]) -> S3Lake:
        """The lake of these settings, its partitions put by executors."""
        return SparkLake(self, settings, warn)

    def follow(self, run_ids: Sequence[str], held: pa.Table, run: Run, telemetry: Telemetry, *, is_news: bool) -> Followed:
        """Follow what is held over the answers of many runs. Raises PipelineError."""
        with as_the_program_raised_it():
            settings, every = self._settings, list(chunks(run_ids, self._chunk))
            runs = {
                place: Repeated(place, run_id, datetime.fromisoformat(as_of))
                for place, run_id, as_of in self._mapped(every, functools.partial(read_runs, settings), RUNS).collect()
            }
            telemetry.progress(f"{len(runs)} runs")
            found = self._mapped(every, functools.partial(read_spans, settings), SPANS)
            found = found.unionByName(self.spark.createDataFrame(as_spans(held), from_arrow_schema(SPANS))).persist()
            # A record whose id can't be read concerns every launch.
            everywhere = [row.asDict() for row in found.where(found[KEY].isNull()).collect()]
            follow = functools.partial(follow_some, everywhere, run, runs, is_news)
            packed = found.where(found[KEY].isNotNull()).repartition(KEY).mapInArrow(follow, from_arrow_schema(PACKED)).collect()
            found.unpersist()
        history = [LAUNCH_CHANGES.arrow.empty_table(), *(unpacked(row.history) for row in packed)]
        retained = {key: place for row in packed for key, place in zip(row.retained, row.places, strict=True)}
        return Followed(runs, pa.concat_tables(history), retained)

    def _mapped(self, every: list[Chunk], function: Callable[[Batches], Batches], schema: pa.Schema) -> DataFrame:
        """What becomes of each chunk, one task each."""
        rows = self.spark.sparkContext.parallelize([(one.first, list(one.run_ids)) for one in every], len(every))
        chunked = self.spark.createDataFrame(rows, "begins bigint, ids array<string>")
        return chunked.mapInArrow(function, from_arrow_schema(schema))


class SparkLake(S3Lake):
    """A lake whose partitions executors put, and read back."""

    def __init__(self, cluster: OnSpark, settings: Settings, warn: Callable[[str], None]) -> None:
        super().__init__(settings, warn)
        self._cluster, self._there = cluster, settings.without_secrets()
        self._read_back: dict[tuple[str, str], Checksum] = {}

    def write(
        self, run: Run, key: PartitionKey, rows: Iterable[pa.Table], checksum: Checksum, over: StoredObject | None
    ) -> WrittenFile:
        """Replace one partition's object by one PUT of an executor, if it still is the one that was listed."""
        put = functools.partial(put_and_read_back, self._there, run, key, checksum, over)
        with as_the_program_raised_it():
            context = self._cluster.spark.sparkContext
            ((file, held),) = context.parallelize([[packed(part) for part in rows]], 1).map(put).collect()
        self._read_back[file.key, file.version_id] = held
        return file

    def checksum(self, file: WrittenFile) -> Checksum:
        """What one partition's object holds, by its values."""
        return self._read_back.get((file.key, file.version_id)) or super().checksum(file)


# --- what executors do ------------------------------------------------------------------------------------------------


def readers(settings: Settings, batches: Batches) -> Iterator[tuple[Reader, Chunk]]:
    """Each chunk of a task, and who reads it."""
    with tempfile.TemporaryDirectory() as folder:
        reader = replay.reader(settings, Path(folder))
        for batch in batches:
            for row in batch.to_pylist():
                yield reader, Chunk(row["begins"], row["ids"])


def read_runs(settings: Settings, batches: Batches) -> Batches:
    """The runs of chunks that are repeated."""
    for reader, chunk in readers(settings, batches):
        rows = [{"place": one.place, "id": one.run_id, "as_of": one.as_of.isoformat()} for one in reader.runs(chunk)]
        yield pa.RecordBatch.from_pylist(rows, RUNS)


def read_spans(settings: Settings, batches: Batches) -> Batches:
    """The spans of what the runs of chunks received."""
    for reader, chunk in readers(settings, batches):
        for found in reader.spans(chunk):
            yield from found.to_batches()


def follow_some(
    everywhere: list[dict[str, Any]], run: Run, runs: Mapping[int, Repeated], is_news: bool, batches: Batches
) -> Batches:
    """What happened to the launches of a task."""
    found = [pa.Table.from_batches([batch]).cast(SPANS) for batch in batches]
    whole = pa.concat_tables([*found, pa.Table.from_pylist(everywhere, SPANS)])
    what = followed(whole, run, runs, is_news=is_news)
    row = {"history": packed(what.history), "retained": list(what.retained), "places": list(what.retained.values())}
    yield pa.RecordBatch.from_pylist([row], PACKED)


def put_and_read_back(
    settings: Settings, run: Run, key: PartitionKey, checksum: Checksum, over: StoredObject | None, parts: list[bytes]
) -> tuple[WrittenFile, Checksum]:
    """One partition's object, and what it holds; a task that is tried again finds that it has put it."""
    lake = S3Lake(settings)
    file = lake.write(run, key, map(unpacked, parts), checksum, over)
    return file, lake.checksum(file)


# --- between the two --------------------------------------------------------------------------------------------------


def packed(rows: pa.Table) -> bytes:
    """Rows as bytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue())


def unpacked(rows: bytes) -> pa.Table:
    """Rows from bytes."""
    return pa.ipc.open_stream(rows).read_all()


@contextlib.contextmanager
def as_the_program_raised_it() -> Iterator[None]:
    """Raise what the program raised on an executor as what it is; all else of Spark as a fault of the cluster."""
    try:
        yield
    except (PySparkException, Py4JError) as error:
        found = re.findall(r"^(spacex_pipeline[\w.]*)\.(\w+): (.+)", str(error), re.MULTILINE)
        last = [line for line in str(error).splitlines() if re.match(r"\w+(Error|Exception)\b", line)] or [str(error).strip()]
        place, kind, message = found[-1] if found else ("", "", f"Spark: {last[-1].splitlines()[0]}")
        raise _kind(place, kind)(message) from error


def _kind(place: str, name: str) -> type[errors.PipelineError]:
    """The kind of an error that a traceback names, by its exit code: that of `errors` which it is or is derived from."""
    found = getattr(importlib.import_module(place), name, None) if place else None
    known = found.__mro__ if isinstance(found, type) else ()
    return next((kind for kind in known if getattr(errors, kind.__name__, None) is kind), errors.PipelineError)


def set_login(secret: str) -> None:
    """Set user and password of MySQL to what a secret holds. In this process alone: Spark's properties reach the executors."""
    held = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    os.environ["MYSQL_USER"], os.environ["MYSQL_PASSWORD"] = held["username"], held["password"]


def main() -> int:
    """The command line: `--chunk`, `--secret`, and the options of the program's `replay`; its exit code."""
    parser = argparse.ArgumentParser(description="replay of a range elsewhere, on Spark", epilog="and all options of: replay")
    parser.add_argument("--chunk", type=int, default=CHUNK, help=f"runs that one task reads ({CHUNK})")
    parser.add_argument("--secret", help="secret in Secrets Manager with MySQL's username and password")
    options, rest = parser.parse_known_args()
    request = cli.parse(["replay", *rest])
    if isinstance(request, int):
        return request
    if options.chunk < 1 or request.run_id or not request.to_prefix or request.processes:
        parser.error("give --from or --to, --to-prefix and --to-database; --chunk is at least 1, and --processes another engine")
    if options.secret:
        try:
            set_login(options.secret)
        except (BotoCoreError, ClientError) as error:
            print(f"settings: {options.secret} can't be read: {error}", file=sys.stderr)  # noqa: T201  # there is no logger yet
            return errors.SettingsError.exit_code
    execute = functools.partial(replay.execute, make_cluster=functools.partial(OnSpark, options.chunk))
    try:
        return wiring.execute(request, execute)
    finally:
        if session := SparkSession.getActiveSession():
            session.stop()


if __name__ == "__main__":
    sys.exit(main())
