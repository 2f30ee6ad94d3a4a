"""The sample API's other half answers as Launch Library 2.3.0 does."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sample_api import Fault, SampleApi
from tests.sample_api.library import Budget


@pytest.fixture(scope="module")
def shared_api() -> Iterator[SampleApi]:
    """An API that no test changes."""
    with SampleApi() as api:
        yield api


def page(api: SampleApi, **parameters: Any) -> Any:
    response = requests.get(f"{api.url}/2.3.0/launches/", params=parameters, timeout=10)
    response.raise_for_status()
    return response.json()


def test_pages(shared_api: SampleApi) -> None:
    """`limit` is at most 100, `next` leads through all launches, what makes no sense is passed over."""
    first = page(shared_api, limit=1000, ordering="id", lsp__id=121, mode="detailed")
    assert (first["count"], first["previous"], len(first["results"])) == (205, None, 100)
    second = requests.get(first["next"], timeout=10).json()
    third = requests.get(second["next"], timeout=10).json()
    assert (third["next"], len(third["results"])) == (None, 5)
    ids = [record["id"] for p in (first, second, third) for record in p["results"]]
    assert all(a < b for a, b in pairwise(ids))
    assert requests.get(third["previous"], timeout=10).json()["results"] == second["results"]
    assert len(page(shared_api, limit="many", offset=-1, colour="blue", ordering="colour")["results"]) == 10
    assert page(shared_api, offset=1000)["results"] == []


def test_filters_and_order(shared_api: SampleApi) -> None:
    assert page(shared_api, lsp__id=115)["count"] == 0
    newest = page(shared_api, ordering="-last_updated", limit=1)["results"][0]["last_updated"]
    assert page(shared_api, last_updated__gte=newest)["count"] >= 1
    times = [record["net"] for record in page(shared_api, ordering="net", limit=100)["results"]]
    assert times == sorted(times)


def test_modes(shared_api: SampleApi) -> None:
    """Each has more than the one before; `normal` is what comes unasked."""
    modes = [page(shared_api, limit=1, mode=mode)["results"][0] for mode in ("list", "normal", "detailed")]
    assert [mode["response_mode"] for mode in modes] == ["list", "normal", "detailed"]
    assert modes[0].keys() < modes[1].keys() < modes[2].keys()
    assert "launcher_stage" not in modes[1]["rocket"]
    assert modes[2]["rocket"]["launcher_stage"]
    assert page(shared_api, limit=1)["results"] == [modes[1]]


def test_the_budget_is_used_up_by_launches_and_not_by_asking(shared_api: SampleApi) -> None:
    with SampleApi() as api:
        api.budget = Budget(2, used=1)
        throttle = f"{api.url}/2.3.0/api-throttle/"
        assert requests.get(throttle, timeout=10).json()["next_use_secs"] == 0
        page(api)
        told = requests.get(throttle, headers={"Authorization": "Token abc"}, timeout=10).json()
        assert (told["your_request_limit"], told["current_use"], told["ident"]) == (2, 2, "abc")
        refused = requests.get(f"{api.url}/2.3.0/launches/", timeout=10)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(told["next_use_secs"]))
        assert "throttled" in refused.json()["detail"]


def test_faults(shared_api: SampleApi) -> None:
    with SampleApi(faults={"2.3.0/launches": Fault(totals=(1, 2), stuck=True)}) as api:
        pages = [page(api, offset=offset, limit=3) for offset in (0, 3)]
        assert [p["count"] for p in pages] == [1, 2]
        assert pages[0]["results"] == pages[1]["results"]
        assert requests.get(f"{api.url}/2.3.0/agencies/", timeout=10).status_code == 404


def test_shapes(recorded_data: Path, shared_api: SampleApi) -> None:
    """In the mode `normal` our records have the real fields, and where they are not null the real types."""
    with SampleApi(recorded=recorded_data) as recorded:
        real = page(recorded, limit=100, lsp__id=121)
    assert real["count"] == 51
    there, ours = _shape(real["results"]), _shape(page(shared_api, limit=100)["results"])
    assert ours.keys() <= there.keys()
    wrong = {place: types - there[place] - {"NoneType"} for place, types in ours.items()}
    assert {place: types for place, types in wrong.items() if types} == {}


def _shape(value: Any, place: str = "") -> dict[str, set[str]]:
    found = {place: {type(value).__name__}}
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        for where, types in _shape(part, f"{place}[]" if isinstance(value, list) else f"{place}.{key}").items():
            found.setdefault(where, set()).update(types)
    return found
