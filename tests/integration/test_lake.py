"""The lake where what it holds is broken: every kind is found and named, whatever it claims, and costs little memory and disk."""

import gzip
import hashlib
import io
import json
import math
import resource
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.core.checksum.digest import checksum_of, with_hashes
from app.core.model import ArchivedResponse, Body, Manifest, Pointer, RawObject, Response, Run, WrittenFile
from app.core.schema import LAUNCH_CREW, LAUNCH_PAYLOADS, SCHEMA_VERSION, TRANSFORM_VERSION
from app.errors import LakeError, UnreadableObject
from app.lake import bucket, layout, manifests, partitions
from app.lake.store import S3Lake
from app.settings import load_settings
from tests.services import AwsEndpoint, MotoServer

BEGAN = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUN = Run(layout.new_run_id(BEGAN, 1), BEGAN, "spacex", BEGAN)
CREW = ("launch_crew", 2020)
PAYLOADS = ("launch_payloads", 2020)
KEY = layout.partition_key(CREW)
RAW = b'[{"id": "1"}]' * 1000
MANIFEST = layout.manifest_key(RUN.id)


class Lake(S3Lake):
    """A lake, and the means to break it."""

    def __init__(self, aws: AwsEndpoint, bucket: str) -> None:
        super().__init__(load_settings())
        self.s3, self.bucket = aws.client("s3"), bucket

    def overwrite(self, key: str, body: bytes) -> str:
        """Put other bytes in an object's place; their version."""
        return str(self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"])

    def purge(self, key: str) -> None:
        """Remove every version of an object."""
        for version in self.s3.list_object_versions(Bucket=self.bucket, Prefix=key).get("Versions", []):
            self.s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version["VersionId"])

    def bytes_of(self, key: str) -> bytes:
        """An object's bytes."""
        return bytes(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def republish(self, body: bytes) -> None:
        """Let the pointer name a manifest of these bytes."""
        self.purge(MANIFEST)
        self.overwrite(MANIFEST, body)
        target = {"run_id": RUN.id, "manifest": MANIFEST, "sha256": hashlib.sha256(body).hexdigest()}
        self.overwrite(layout.LATEST, json.dumps(target).encode())


@pytest.fixture
def lake(aws: AwsEndpoint, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    mysql = {"MYSQL_HOST": "127.0.0.1", "MYSQL_USER": "nobody", "MYSQL_PASSWORD": "none", "MYSQL_DATABASE": "none"}
    for name, value in {**aws.environment(), **mysql, "S3_BUCKET": bucket}.items():
        monkeypatch.setenv(name, value)
    return Lake(aws, bucket)


def crew(rows: int = 3) -> pa.Table:
    """Rows of one partition."""
    return with_hashes(
        LAUNCH_CREW,
        {
            "launch_id": [f"launch-{i}" for i in range(rows)],
            "position": [0] * rows,
            "crew_id": ["c"] * rows,
            "name": ["Neutral name"] * rows,
            "role": [None] * rows,
            "launch_year": [2020] * rows,
        },
    )


@pytest.fixture
def published(lake: Lake, tmp_path: Path) -> Manifest:
    """One run's publication: a raw body, a partition, a manifest."""
    path = tmp_path / "body"
    path.write_bytes(RAW)
    raw = lake.archive(RUN, "launches", 1, Body(path, hashlib.sha256(RAW).hexdigest(), len(RAW)))
    file = lake.write(RUN, CREW, [crew()], checksum_of(crew()), None)
    manifest = Manifest(
        run_id=RUN.id,
        published_at=BEGAN,
        source="spacex",
        source_url="http://127.0.0.1:9",
        app_version="1",
        schema_version=SCHEMA_VERSION,
        transform_version=TRANSFORM_VERSION,
        endpoints={"launches": ArchivedResponse(etag=None, objects=[raw])},
        files=[file],
        rejected=0,
        retained_ids=[],
        lookups={},
        newest_launch_utc=None,
        as_of=BEGAN,
        replayed_run_id=None,
    )
    lake.publish(manifest, Pointer(None, None))
    return manifest


# --- what is sound ------------------------------------------------------------------------------------------------


def test_what_was_published_is_read_back(lake: Lake, published: Manifest, tmp_path: Path) -> None:
    pointer = lake.latest()
    assert (pointer.manifest, pointer.fault, pointer.warning) == (published, None, None)
    assert pointer.etag == lake.s3.head_object(Bucket=lake.bucket, Key=layout.LATEST)["ETag"]
    assert lake.manifest(RUN.id) == published
    assert lake.published_run_ids() == [RUN.id]
    (file,), (stored,) = published.files, lake.partitions().values()
    assert (stored.key, stored.etag, stored.version_id) == (file.key, file.etag, file.version_id)
    assert lake.rows(file) == lake.current_rows(stored, LAUNCH_CREW) == crew()
    assert lake.checksum(file) == checksum_of(crew())
    assert lake.received("spacex", RUN.id) == published.endpoints
    restored = lake.restore(Response("launches", None, (), published.endpoints["launches"]), tmp_path)
    assert restored.bodies[0].path.read_bytes() == RAW


def payloads(*masses: float | None) -> pa.Table:
    """Rows with these masses."""
    count = len(masses)
    given = {"launch_id": [f"launch-{i}" for i in range(count)], "position": [0] * count, "launch_year": [2020] * count}
    facts = {column.name: [None] * count for column in LAUNCH_PAYLOADS.facts} | given | {"mass_kg": list(masses)}
    return with_hashes(LAUNCH_PAYLOADS, facts)


def test_what_was_written_is_what_is_read_back_in_whatever_parts_it_comes(lake: Lake) -> None:
    rows = payloads(*map(float, range(12_000)))
    file = lake.write(RUN, PAYLOADS, [rows], checksum_of(rows), None)
    assert lake.holds(file, [rows])
    assert lake.holds(file, [rows.slice(0, 7), rows.slice(7, 9_000), rows.slice(9_007)])
    assert not lake.holds(file, [rows.slice(0, 11_999)])
    assert not lake.holds(file, [rows, rows.slice(0, 1)])
    assert not lake.holds(file, [rows.take(pa.array([1, 0, *range(2, 12_000)]))])


@pytest.mark.parametrize(("held", "other"), [(0.0, -0.0), (0.0, None), (1.0, math.nextafter(1, 2)), (math.nan, None)])
def test_reals_that_are_read_back_are_compared_to_the_bit(lake: Lake, held: float, other: float | None) -> None:
    stored = lake.write(RUN, PAYLOADS, [payloads(held)], checksum_of(payloads(held)), None)
    assert lake.holds(stored, [payloads(held)])
    hashes = payloads(held)["row_hash"]  # the hash that was sent proves nothing
    place = payloads(held).schema.get_field_index("row_hash")
    assert not lake.holds(stored, [payloads(other).set_column(place, "row_hash", hashes)])


def test_nothing_is_published_and_a_run_is_unknown(lake: Lake) -> None:
    assert lake.latest() == Pointer(None, None)
    assert lake.manifest(RUN.id) is lake.manifest("../latest") is None
    assert lake.received("spacex", "no run") == {}


class TestPagesOfVersions:
    @pytest.fixture
    def aws(self, tmp_path: Path) -> Iterator[AwsEndpoint]:
        """Always moto: LocalStack 4.14 loses versions between pages where keys hold an =, whoever asks."""
        with MotoServer(tmp_path) as server:
            yield server.endpoint

    @pytest.mark.usefixtures("published")
    @pytest.mark.parametrize("page", [1, 2, 1000])
    def test_partitions_are_the_newest_versions_and_what_was_deleted_is_gone(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch, page: int
    ) -> None:
        """However many versions an answer of S3 holds."""
        monkeypatch.setattr(bucket, "PAGE", page)
        newest = lake.overwrite(KEY, b"1")
        lake.overwrite("launches/notes.txt", b"")
        lake.overwrite("launches/year=0020/launches.parquet", b"")
        deleted = layout.partition_key(("launches", 2021))
        lake.overwrite(deleted, b"")
        lake.s3.delete_object(Bucket=lake.bucket, Key=deleted)
        for year in range(2010, 2016):
            lake.overwrite(layout.partition_key(("launch_cores", year)), b"")
        found = lake.partitions()
        assert found[CREW].version_id == newest
        assert ("launches", 2021) not in found
        assert len(found) == 1 + 6
        assert lake.unexpected_objects == [f"{lake.place}launches/notes.txt", f"{lake.place}launches/year=0020/launches.parquet"]


# --- pointer and manifest -----------------------------------------------------------------------------------------

BRACKETS = b"[" * 100_000


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (BRACKETS[: manifests.POINTER_LIMIT], "can't be read: "),
        (BRACKETS, "bytes where at most"),
        (b'{"run_id": ' + BRACKETS[:60_000], "can't be read: "),
        (b"", "can't be read: "),
        (b"\xff\xfe", "can't be read: "),
        (b"null", "can't be read: "),
        (b"{}", "can't be read: run_id: Field required"),
        (b'{"run_id": "x", "manifest": "../x", "sha256": "x"}', "names no manifest"),
        (json.dumps({"run_id": RUN.id, "manifest": layout.LATEST, "sha256": "x"}).encode(), "names no manifest"),
    ],
)
def test_a_pointer_that_can_not_be_read_is_a_fault(lake: Lake, published: Manifest, body: bytes, says: str) -> None:
    """The pointer's ETag is still known, so that the next publication can replace it."""
    lake.overwrite(layout.LATEST, body)
    pointer = lake.latest()
    assert pointer.manifest is None
    assert pointer.fault
    assert f"{lake.place}{layout.LATEST}" in pointer.fault
    assert says in pointer.fault
    lake.publish(published.model_copy(update={"run_id": layout.new_run_id(BEGAN, 2)}), pointer)
    assert lake.latest().fault is None


def test_a_manifest_that_is_gone_is_a_fault(lake: Lake, published: Manifest) -> None:
    lake.purge(MANIFEST)
    pointer = lake.latest()
    assert (pointer.manifest, pointer.fault) == (None, f"{lake.place}{MANIFEST} is gone")
    assert pointer.etag
    assert lake.manifest(RUN.id) is None


@pytest.mark.parametrize("how", ["overwritten", "deleted", "too large"])
def test_an_earlier_version_of_the_manifest_is_read_where_it_has_the_digest(lake: Lake, published: Manifest, how: str) -> None:
    if how == "deleted":
        lake.s3.delete_object(Bucket=lake.bucket, Key=MANIFEST)
    else:
        lake.overwrite(MANIFEST, b"{}" if how == "overwritten" else b" " * (manifests.MANIFEST_LIMIT + 1))
    pointer = lake.latest()
    assert (pointer.manifest, pointer.fault) == (published, None)
    assert pointer.warning
    assert f"{lake.place}{MANIFEST}" in pointer.warning
    assert "was read instead" in pointer.warning


def test_no_version_of_the_manifest_has_the_digest(lake: Lake, published: Manifest) -> None:
    body = lake.bytes_of(MANIFEST)
    lake.purge(MANIFEST)
    lake.overwrite(MANIFEST, body + b" ")
    pointer = lake.latest()
    fault = f"{lake.place}{MANIFEST} does not have the digest that the pointer names"
    assert (pointer.manifest, pointer.fault) == (None, fault)


def _changed(manifest: dict[str, Any], where: str, value: object) -> bytes:
    *path, last = where.split("/")
    found: Any = manifest
    for step in path:
        found = found[int(step) if step.isdigit() else step]
    found[last] = value
    return json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("as_of", "2026-01-31T12:00:00", "as_of: Input should have timezone info"),
        ("published_at", "2026-01-31T12:00:00", "published_at: "),
        ("newest_launch_utc", "2026-01-31T12:00:00", "newest_launch_utc: "),
        ("files", None, "files: "),
        ("run_id", layout.new_run_id(BEGAN, 9), "it is of run "),
        ("files/0/key", "elsewhere/secret.parquet", "it names 'elsewhere/secret.parquet'"),
        ("files/0/year", 2021, "it names 'launch_crew/year=2020/launch_crew.parquet' as launch_crew 2021"),
        ("files/0/table", "accounts", "as accounts 2020"),
        ("files/0/rows", 10**9, "1,000,000,000 rows"),
        ("files/0/rows", -1, "-1 rows"),
        ("files/0/size", 10**15, "1,000,000,000,000,000 bytes"),
        ("files/0/digest", "not hexadecimal", "the digest 'not hexadecimal'"),
        ("endpoints/launches/objects/0/key", "../launches.json.gz", "it names '../launches.json.gz'"),
        ("endpoints/launches/objects/0/size", 10**15, "1,000,000,000,000,000 bytes"),
        ("endpoints/..", {"etag": None, "objects": []}, "an endpoint '..'"),
        ("as_of", [], "as_of: "),
    ],
)
def test_a_manifest_that_no_run_writes_is_a_fault(lake: Lake, published: Manifest, where: str, value: object, says: str) -> None:
    """The pointer has its digest, and still it is not believed; by its run it is an error that names it."""
    lake.republish(_changed(json.loads(lake.bytes_of(MANIFEST)), where, value))
    pointer = lake.latest()
    assert pointer.manifest is None
    assert pointer.fault
    assert says in pointer.fault
    assert f"{lake.place}{MANIFEST}" in pointer.fault
    with pytest.raises(LakeError) as raised:
        lake.manifest(RUN.id)
    assert raised.value.message == pointer.fault


def test_a_manifest_of_brackets_is_a_fault(lake: Lake, published: Manifest) -> None:
    lake.republish(b'{"files": ' + b"[" * 10_000_000)
    assert "can't be read: " in (lake.latest().fault or "")
    lake.republish(b'{"another": ' + BRACKETS + b"]" * len(BRACKETS) + b"}")
    assert "can't be read: " in (lake.latest().fault or "")


# --- partitions ---------------------------------------------------------------------------------------------------


def parquet(rows: pa.Table, **options: Any) -> bytes:
    """Rows as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, **options)
    return buffer.getvalue()


SOUND = parquet(crew())


def _broken() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "not Parquet", b"another's"
    yield "truncated", SOUND[:-20]
    yield "magic alone", b"PAR1" * 3
    yield "garbage within", SOUND[:40] + bytes(len(SOUND) // 3) + SOUND[40 + len(SOUND) // 3 :]
    yield "another schema", parquet(pa.table({"a": [1]}))
    yield "key is missing", parquet(crew().drop_columns(["launch_id"]))
    yield "column twice", parquet(pa.Table.from_arrays([pa.array(["x"]), pa.array(["y"])], ["launch_id", "launch_id"]))
    yield "cast impossible", parquet(crew().set_column(1, "position", pa.array(["x", "y", "z"])))
    yield "null in a key", parquet(crew().cast(_nullable(crew().schema)).set_column(0, "launch_id", pa.nulls(3, pa.string())))
    yield "not UTF-8", parquet(crew().set_column(3, "name", pa.array([b"\xff"] * 3).view(pa.string())))
    yield "nested", parquet(crew().set_column(3, "name", pa.array([[["x"]], None, None])))
    large = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * (16 << 20)]))
    yield "dictionaries in memory", parquet(pa.table({"launch_id": large}))
    yield "dictionaries in pages", parquet(pa.table({"launch_id": large}), store_schema=False)


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


@pytest.mark.parametrize(("kind", "body"), [pytest.param(kind, body, id=kind) for kind, body in _broken()])
def test_an_object_that_is_no_partition_is_named(lake: Lake, published: Manifest, kind: str, body: bytes) -> None:
    """As listed, and as a manifest names it; memory stays small."""
    version = lake.overwrite(KEY, body)
    stored = lake.partitions()[CREW]
    named = published.files[0].model_copy(update={"version_id": version, "etag": stored.etag, "size": len(body), "sha256": ""})
    pool = pa.proxy_memory_pool(pa.default_memory_pool())
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(UnreadableObject, match=f"{lake.place}{KEY} can't be read: ."):
            lake.current_rows(stored, LAUNCH_CREW)
        with pytest.raises(UnreadableObject, match=f"{lake.place}{KEY} can't be read: ."):
            lake.rows(named)
    finally:
        pa.set_memory_pool(before)
    assert pool.max_memory() < 1.5 * partitions.UNPACKED_LIMIT


@pytest.mark.parametrize(
    ("limit", "least", "says"),
    [
        ("ROWS_LIMIT", 2, "claims 3 rows, over 2"),
        ("UNPACKED_LIMIT", 100, "bytes unpacked, over 100"),
        ("OBJECT_LIMIT", 9, "at most 9"),
    ],
)
def test_a_partition_has_limits(
    lake: Lake, published: Manifest, monkeypatch: pytest.MonkeyPatch, limit: str, least: int, says: str
) -> None:
    monkeypatch.setattr(partitions, limit, least)
    with pytest.raises(UnreadableObject, match=says):
        lake.current_rows(lake.partitions()[CREW], LAUNCH_CREW)


def test_a_file_that_claims_a_billion_rows(lake: Lake, published: Manifest) -> None:
    """The claim is in the footer alone: the row count there is made larger."""
    lake.overwrite(KEY, _with_rows(SOUND, 3, 10**9))
    with pytest.raises(UnreadableObject, match=r"can't be read: it claims 1,000,000,000 rows"):
        lake.current_rows(lake.partitions()[CREW], LAUNCH_CREW)


def _with_rows(body: bytes, rows: int, claimed: int) -> bytes:
    """A Parquet file whose footer claims another row count: field 3 of FileMetaData, an i64 as a zigzag varint."""
    length = int.from_bytes(body[-8:-4], "little")
    footer = body[-8 - length : -8]
    tail = bytes([0x16]) + _varint(rows) + bytes([0x19])  # followed by the list of row groups
    changed = footer.replace(tail, bytes([0x16]) + _varint(claimed) + bytes([0x19]), 1)
    return body[: -8 - length] + changed + len(changed).to_bytes(4, "little") + b"PAR1"


def _varint(value: int) -> bytes:
    left, found = value << 1, bytearray()
    while True:
        found.append(left & 0x7F | (0x80 if left > 0x7F else 0))
        left >>= 7
        if not left:
            return bytes(found)


def test_another_object_than_the_manifest_names(lake: Lake, published: Manifest) -> None:
    (file,) = published.files
    others = lake.overwrite(KEY, parquet(crew(2)))
    for changed in ({"version_id": others}, {"rows": 2}, {"size": file.size - 1}, {"etag": '"0"'}, {"sha256": "0" * 64}):
        with pytest.raises(UnreadableObject, match=f"{lake.place}{KEY} "):
            lake.rows(file.model_copy(update=changed))
        with pytest.raises(UnreadableObject, match=f"{lake.place}{KEY} "):
            lake.checksum(file.model_copy(update=changed))


def test_a_version_that_is_gone(lake: Lake, published: Manifest) -> None:
    lake.purge(KEY)
    for read in (lake.rows, lake.checksum):
        with pytest.raises(UnreadableObject, match=f"{lake.place}{KEY}"):
            read(published.files[0])


def test_rows_of_an_older_schema_are_read_by_the_schema_of_today(lake: Lake, published: Manifest) -> None:
    lake.overwrite(KEY, parquet(crew().drop_columns(["role", "row_hash"])))
    assert lake.current_rows(lake.partitions()[CREW], LAUNCH_CREW) == crew()


# --- raw archive --------------------------------------------------------------------------------------------------


def _raw_broken() -> Iterator[tuple[str, bytes]]:
    packed = gzip.compress(RAW)
    yield "empty", b""
    yield "not gzip", b"another's"
    yield "truncated", packed[:-20]
    yield "another text", gzip.compress(RAW[::-1])
    yield "a part", gzip.compress(RAW[:-1])
    yield "more", gzip.compress(RAW + b" ")
    yield "more members", packed + gzip.compress(b" ")
    yield "garbage after", packed + b"garbage"
    yield "bad block", packed[:10] + b"\xff\xff" + packed[12:]
    yield "bad checksum", packed[:-8] + bytes(8)
    yield "bomb", gzip.compress(bytes(1 << 20), 1) * 500
    yield "much for nothing", gzip.compress(b"") * 20_000


@pytest.mark.parametrize(("kind", "body"), [pytest.param(kind, body, id=kind) for kind, body in _raw_broken()])
def test_a_raw_body_that_is_not_what_was_archived(
    lake: Lake, published: Manifest, tmp_path: Path, kind: str, body: bytes
) -> None:
    """Named, and never more of it on disk or in memory than it should have."""
    (raw,) = published.endpoints["launches"].objects
    changed = RawObject(**{**raw.model_dump(), "version_id": lake.overwrite(raw.key, body)})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreadableObject, match=f"{lake.place}{raw.key}"):
        lake.check_raw(changed)
    with pytest.raises(UnreadableObject, match=f"{lake.place}{raw.key}"):
        lake.restore(Response("launches", None, (), ArchivedResponse(etag=None, objects=[changed])), tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.glob("*.archived.json")) <= len(RAW)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 50 << 10


def test_a_raw_body_with_a_header_that_nobody_writes(lake: Lake, published: Manifest) -> None:
    """A name or comment of half a megabyte, which is within what a large body may take."""
    (raw,) = published.endpoints["launches"].objects
    packed = gzip.compress(RAW, mtime=0)
    for flag in (b"\x08", b"\x10"):
        body = packed[:3] + flag + packed[4:10] + b"a" * 600_000 + b"\0" + packed[10:]
        changed = raw.model_copy(update={"version_id": lake.overwrite(raw.key, body), "size": 1_000_000})
        with pytest.raises(UnreadableObject, match=f"{lake.place}{raw.key}"):
            lake.check_raw(changed)


def test_a_raw_body_whose_version_is_gone(lake: Lake, published: Manifest) -> None:
    (raw,) = published.endpoints["launches"].objects
    lake.purge(raw.key)
    with pytest.raises(UnreadableObject, match=f"{lake.place}{raw.key}"):
        lake.check_raw(raw)


def test_foreign_objects_among_what_a_run_received_are_left_alone(lake: Lake, published: Manifest) -> None:
    prefix = layout.raw_prefix("spacex", RUN.id)
    for name in ("notes.txt", "launches.json.gz", "launches-x.json.gz", "deep/launches-2.json.gz"):
        lake.overwrite(prefix + name, b"another's")
    assert lake.received("spacex", RUN.id) == published.endpoints


def test_a_written_file_is_a_partition_of_the_layout(published: Manifest) -> None:
    (file,) = published.files
    assert isinstance(file, WrittenFile)
    assert layout.parse_partition_key(file.key) == (file.table, file.year) == CREW
