"""Gate, trust, reconciliation, differences and history, each on a table of cases: tests/fixtures/core."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import yaml

from app.core.checksum.digest import Checksum, with_hashes
from app.core.diff import difference
from app.core.model import LookupUse, Manifest, PartitionKey, Run, StoredObject, WrittenFile
from app.core.reconcile import (
    CurrentState,
    Limits,
    Received,
    departures,
    gate,
    is_followed,
    is_mysql_ahead,
    is_trusted,
    reconcile,
)
from app.core.runs import LastRun, RunState
from app.core.schema import LAUNCHES, SCHEMA_VERSION, TRANSFORM_VERSION
from app.pipeline.history import launch_changes
from tests.cases import FIXTURES, all_used

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = Run("r10", NOW, "spacex", NOW)
URL = "https://api.example"


def cases_of(name: str) -> list[Any]:
    found = yaml.safe_load((FIXTURES / "core" / f"{name}.yaml").read_text())
    return [pytest.param(case, id=case["story"].rstrip(".")) for case in found]


# --- reading ----------------------------------------------------------------------------------------------------------


def key_of(text: str) -> PartitionKey:
    table, year = text.split()
    return table, int(year)


def checksums(given: Mapping[str, str]) -> dict[PartitionKey, Checksum]:
    """`{launches 2020: 3 a}`: three rows whose digest is all a."""
    return {key_of(name): Checksum(int(text.split()[0]), text.split()[1] * 32) for name, text in given.items()}


def lookups(given: Mapping[str, str]) -> dict[str, LookupUse]:
    """`{rockets: 80 of 100}`: of 100 references 80 are resolved."""
    found = {}
    for kind, text in given.items():
        resolved, references = map(int, text.split(" of "))
        found[kind] = LookupUse(references=references, resolved=resolved)
    return found


def written(key: PartitionKey, held: Checksum) -> WrittenFile:
    name = f"{key[0]}/year={key[1]}"
    return WrittenFile(
        table=key[0], year=key[1], key=name, version_id="v1", etag="e1", rows=held.rows, digest=held.digest, size=held.rows
    )


def manifest_of(given: dict[str, Any] | None) -> Manifest | None:
    if given is None:
        return None
    with all_used(dict(given), "manifest") as keys:
        older = {name: keys.pop(name, None) == "older" for name in ("schema", "transform")}
        files = checksums(keys.pop("files"))
        return Manifest(
            run_id=keys.pop("run", "r1"),
            number=keys.pop("number", 1),
            published_at=NOW,
            source=keys.pop("source", "spacex"),
            source_url=keys.pop("url", URL),
            app_version="0",
            schema_version=SCHEMA_VERSION - older["schema"],
            transform_version=TRANSFORM_VERSION - older["transform"],
            endpoints={},
            files=[written(key, held) for key, held in files.items()],
            rejected=0,
            retained_ids=[],
            lookups=lookups(keys.pop("lookups", {})),
            newest_launch_utc=None,
            as_of=NOW,
            replayed_run_id=None,
        )


def objects_of(manifest: Manifest | None, given: Mapping[str, str]) -> dict[PartitionKey, StoredObject]:
    """Those that the manifest names, but for what is said of some."""
    files = manifest.by_partition() if manifest else {}
    found = {key: StoredObject(file.key, file.etag, file.version_id) for key, file in files.items()}
    for name, what in given.items():
        etag, version = {
            "another version": ("e1", "v2"),
            "replaced": ("e2", "v2"),
            "not named": ("e1", "v1"),
            "missing": ("", ""),
        }[what]
        found[key_of(name)] = StoredObject(name, etag, version)
        if what == "missing":
            del found[key_of(name)]
    return found


def last_run(manifest: Manifest | None, given: dict[str, Any] | None) -> LastRun:
    """The one that published the manifest, if nothing else is said."""
    if given is None:
        given = {"state": "published", "merged": manifest.run_id, "number": manifest.number} if manifest else {}
        given |= {"source": manifest.source} if manifest else {}
    with all_used(dict(given), "last") as keys:
        state, number = keys.pop("state", None), keys.pop("number", 0)
        versions = (SCHEMA_VERSION, TRANSFORM_VERSION) if state else None
        return LastRun(state and RunState(state), keys.pop("merged", None), number, keys.pop("source", None), versions)


def state_of(given: dict[str, Any]) -> CurrentState:
    """What both stores hold: what is not said is as a good run left it."""
    with all_used(dict(given), "held") as keys:
        manifest = manifest_of(keys.pop("manifest"))
        files = {key: Checksum(file.rows, file.digest) for key, file in (manifest.by_partition() if manifest else {}).items()}
        mysql = keys.pop("mysql", None)
        return CurrentState(
            manifest,
            objects_of(manifest, keys.pop("objects", {})),
            files if mysql is None else checksums(mysql),
            last_run(manifest, keys.pop("last", None)),
            keys.pop("fault", None),
        )


# --- cases ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases_of("gate"))
def test_the_gate_refuses_with_every_reason(case: dict[str, Any]) -> None:
    with all_used(dict(case), case["story"]) as keys:
        keys.pop("story")
        with all_used(dict(keys.pop("received")), "received") as got:
            rows = Checksum(got.pop("launches"), "c" * 32)
            received = Received({("launches", 2020): rows}, rows.rows, got.pop("rejected", 0), lookups(got.pop("lookups", {})))
        allowed = keys.pop("allowed", [])
        limits = Limits(0.05, 0.1, accept_shrink="shrink" in allowed, accept_source_change="source change" in allowed)
        assert gate(received, state_of(keys.pop("held")), RUN, limits) == keys.pop("refused")


@pytest.mark.parametrize("case", cases_of("trust"))
def test_a_manifest_is_believed_as_far_as_it_goes(case: dict[str, Any]) -> None:
    with all_used(dict(case), case["story"]) as keys:
        keys.pop("story")
        held = state_of(keys.pop("held"))
        assert is_trusted(held.manifest, held.last_run, RUN, URL) is keys.pop("trusted")
        assert is_mysql_ahead(held) is keys.pop("ahead")
        assert is_followed(held, RUN) is keys.pop("followed")
        assert departures(held) == keys.pop("departures")


@pytest.mark.parametrize("case", cases_of("reconcile"))
def test_a_plan_writes_what_differs_and_nothing_else(case: dict[str, Any]) -> None:
    with all_used(dict(case), case["story"]) as keys:
        keys.pop("story")
        wanted, carried = checksums(keys.pop("wanted")), checksums(keys.pop("carried", {}))
        changed = frozenset(keys.pop("changed", ()))
        plan = reconcile(wanted, state_of(keys.pop("held")), carried, changed)
        with all_used(dict(keys.pop("plan")), "plan") as expected:
            assert sorted(plan.load) == sorted(map(key_of, expected.pop("load", [])))
            assert sorted(plan.append) == sorted(map(key_of, expected.pop("append", [])))
            assert list(plan.put) == [*map(key_of, expected.pop("put", []))]
            assert list(plan.gaining) == [*map(key_of, expected.pop("gaining", []))]
            assert {table: sorted(scope.years) for table, scope in plan.scope.items()} == expected.pop("scope", {})
            partly = {table: sorted(scope.partly) for table, scope in plan.scope.items() if scope.launches}
            assert partly == expected.pop("partly", {})
            assert {scope.launches for scope in plan.scope.values()} <= {frozenset(), changed}
            assert list(plan.delete) == [*map(key_of, expected.pop("delete", []))]
        assert plan.touched == {*plan.load, *plan.put}


def launches_of(given: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    rows = []
    for launch_id, columns in given.items():
        row = {"source": "spacex", "status": "unknown", "date_utc": "2020-06-01T00:00:00Z", **columns, "launch_id": launch_id}
        row["date_utc"] = datetime.fromisoformat(row["date_utc"])
        rows.append(row | {"launch_year": row["date_utc"].year})
    return with_hashes(LAUNCHES, {column.name: [row.get(column.name) for row in rows] for column in LAUNCHES.facts})


@pytest.mark.parametrize("case", cases_of("changes"))
def test_what_changes_is_counted_and_written_down(case: dict[str, Any]) -> None:
    with all_used(dict(case), case["story"]) as keys:
        keys.pop("story")
        found = difference(LAUNCHES, launches_of(keys.pop("before")), launches_of(keys.pop("after")))
        counts = {"added": found.added.num_rows, "removed": found.removed.num_rows, "changed": found.after.num_rows}
        assert counts == keys.pop("counts")
        assert found.before["launch_id"].to_pylist() == found.after["launch_id"].to_pylist()
        rows = launch_changes(RUN, found).to_pylist()
        text = [
            f"{row['launch_id']} {row['column_name']}: {_shown(row['old_value'])} -> {_shown(row['new_value'])}" for row in rows
        ]
        assert sorted(text) == keys.pop("history")
        assert {(row["run_id"], row["changed_at"]) for row in rows} <= {(RUN.id, RUN.as_of)}
        assert sorted({row["launch_year"] for row in rows}) == keys.pop("years", [2020] if rows else [])


def _shown(value: str | None) -> str:
    return "null" if value is None else value
