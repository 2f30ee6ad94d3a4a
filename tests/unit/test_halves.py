"""A large answer read in two processes comes to what it comes to in one: rows, verdicts, counts and places."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.model import Body, Response, Run
from app.pipeline import candidate
from app.pipeline.second_process import in_parallel, is_worth_it
from app.sources.http import HttpClient
from app.sources.spacex.api import SpacexSource
from tests.sample_api.records import launch, lookups

pytestmark = [
    pytest.mark.skipif(not is_worth_it(), reason="on one processor there is no second process"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # pytest has threads
]
RUN = Run("20200101T000000Z-00000000", datetime(2020, 1, 1, tzinfo=UTC), "spacex", datetime(2020, 1, 1, tzinfo=UTC))
PAGES, A_PAGE = 12, 500


def endpoint(folder: Path, name: str, bodies: list[Any]) -> Response:
    found = []
    for number, content in enumerate(bodies):
        path = folder / f"{name}-{number}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        found.append(Body(path, "", path.stat().st_size))
    return Response(name, None, tuple(found))


def test_two_processes_find_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x" * 1_000
    pages = [[launch(page * A_PAGE + i) | {"details": text} for i in range(A_PAGE)] for page in range(PAGES)]
    for page, place, odd in ((1, 7, {"name": 7}), (8, 3, {"name": 7}), (9, 499, {"id": "not an id"}), (2, 0, {"surprise": 1})):
        pages[page][place] |= odd
    pages[7][4] |= {"surprise": 2, "date_precision": "era", "payloads": ["unknown"]}
    pages[10][1] = pages[0][5] | {"name": "the last with this id counts"}
    pages[11][2] = pages[7][9] | {"name": "here too"}
    texts: list[Any] = [{"docs": page} for page in pages]
    deep = '{"id":"deep","x":' + "[" * 100_000 + "]" * 100_000 + "}"
    texts[6] = json.dumps({"docs": pages[6]})[:-2] + f",{deep}]}}"  # beyond Python's limits, and so set aside
    endpoints = {
        "launches": endpoint(tmp_path, "launches", texts),
        **{kind: endpoint(tmp_path, kind, [records]) for kind, records in (lookups() | {"rockets": []}).items()},
    }
    assert sum(body.size for body in endpoints["launches"].bodies) > 8 << 20
    said: list[tuple[object, ...]] = []
    telemetry = SimpleNamespace(
        progress=lambda _: None, warn=lambda *words: said.append(words), warn_if=lambda *words: said.append(words)
    )
    adapters: Any = SimpleNamespace(source=SpacexSource(HttpClient(), "http://127.0.0.1:9", "v5"), telemetry=telemetry)
    begun: list[bool] = []
    monkeypatch.setattr(candidate, "in_parallel", lambda work, beside=in_parallel: begun.append(True) or beside(work))
    found = []
    for worth_it in (True, False):
        monkeypatch.setattr(candidate, "is_worth_it", lambda value=worth_it: value)
        derived, earlier = candidate._read_launches(RUN, adapters, endpoints, set(), tmp_path / f"rows-{worth_it}")
        derived.spill.close()
        rejected = [(r.endpoint, r.index, r.id, r.path, r.value, r.reason) for r in derived.rejected]
        contents = derived.spill.checksums
        found.append((contents, derived.accepted_ids, earlier, rejected, derived.lookups, derived.newest_launch_utc))
    assert begun == [True]
    two, one = found
    assert two == one
    assert two[2] == {5: pages[0][5]["id"], 7 * A_PAGE + 1 + 9: pages[7][9]["id"]}
    assert [place for _, place, *_ in two[3]] == [A_PAGE + 7, 7 * A_PAGE, 8 * A_PAGE + 1 + 3, 9 * A_PAGE + 1 + 499]
