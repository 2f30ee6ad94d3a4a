"""Spans of answers in a row, and the state and the history that follow from them: tests/fixtures/core/spans.yaml."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.checksum.digest import with_hashes
from app.core.model import Run
from app.core.schema import LAUNCHES
from app.core.spans import SPANS, Answer, Timeline, spans
from app.pipeline.backfill import Repeated, as_spans
from app.pipeline.backfill import followed as followed_at_once
from app.pipeline.history import launch_changes
from tests.cases import all_used
from tests.unit.test_core import cases_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = Run("now", NOW, "spacex", NOW)
Names = dict[str | None, str]
"""What each launch of an answer is named, or that it is rejected."""


def launches(names: Names) -> pa.Table:
    rows = [
        {"launch_id": key, "name": name, "source": "spacex", "status": "unknown", "date_utc": NOW, "launch_year": 2026}
        for key, name in names.items()
        if name != "rejected"
    ]
    return with_hashes(LAUNCHES, {column.name: [row.get(column.name) for row in rows] for column in LAUNCHES.facts})


def answer(place: int, names: Names) -> Answer:
    return Answer(place, launches(names), {key for key, name in names.items() if name == "rejected"})


def found_spans(answers: Iterable[Answer]) -> pa.Table:
    return pa.concat_tables([SPANS.empty_table(), *spans(answers)])


def followed(held: Names, answers: list[Names], chunk: int, *, begins: int) -> tuple[dict[str, str], dict[str, int], list[str]]:
    """What is held at the end, the places of what is retained, and the history; the spans made chunk by chunk."""
    timeline = Timeline(launches(held))
    history = []
    every = [answer(place, names) for place, names in enumerate(answers)]
    for first in range(0, len(every), chunk):
        chunked = every[first : first + chunk]
        for place, news in timeline.follow(found_spans(chunked), [one.place for one in chunked]):
            run = Run(f"r{place}", NOW + timedelta(hours=place), "spacex", NOW + timedelta(hours=place))
            if place >= begins:
                history += [f"{place} {shown(row)}" for row in launch_changes(run, news).to_pylist()]
    state = {key: one.rows["name"][one.index].as_py() for key, one in timeline.held.items()}
    return state, {key: one.place for key, one in timeline.held.items() if one.place < len(answers) - 1}, sorted(history)


def at_once(held: Names, answers: list[Names]) -> tuple[dict[str, int], list[str]]:
    """The places of what is retained, and the history, from all spans together, as an executor has them."""
    runs = {place: Repeated(place, f"r{place}", NOW + timedelta(hours=place)) for place in range(len(answers))}
    every = found_spans(answer(place, names) for place, names in enumerate(answers))
    what = followed_at_once(pa.concat_tables([as_spans(launches(held)), every]), RUN, runs, is_news=bool(held))
    return dict(what.retained), sorted(f"{row['run_id'][1:]} {shown(row)}" for row in what.history.to_pylist())


def shown(row: dict[str, Any]) -> str:
    old, new = ("null" if row[side] is None else row[side] for side in ("old_value", "new_value"))
    return f"{row['launch_id']} {row['column_name']}: {old} -> {new}"


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
@pytest.mark.parametrize("case", cases_of("spans"))
def test_spans_give_the_state_and_the_history(case: dict[str, Any], chunk: int) -> None:
    with all_used(dict(case), case["story"]) as keys:
        keys.pop("story")
        held, answers = keys.pop("held", None), keys.pop("answers")
        rows = found_spans(answer(place, names) for place, names in enumerate(answers)).to_pylist()
        texts = [
            f"{row['launch_id'] or 'null'} {row['first']}-{row['last']} {'rejected' if row['rejected'] else row['name']}"
            for row in rows
        ]
        assert sorted(texts) == keys.pop("spans")
        state, retained, history = followed(held or {}, answers, chunk, begins=0 if held else 1)
        assert (retained, history) == at_once(held or {}, answers)
        assert (state, retained, history) == (keys.pop("state"), keys.pop("retained", {}), keys.pop("history"))


NAMES = st.dictionaries(st.sampled_from(["a", "b", "c", None]), st.sampled_from(["One", "Two", "rejected"])).map(
    lambda names: {key: "rejected" if key is None else name for key, name in names.items()}
)


@settings(max_examples=25, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=8))
def test_state_and_history_are_those_of_one_answer_after_the_other(answers: list[Names]) -> None:
    """As runs do it that keep no spans: a dictionary that each answer replaces but for what has to stay."""
    held: dict[str, str] = {}
    history = []
    for place, names in enumerate(answers):
        good = {key: name for key, name in names.items() if key is not None and name != "rejected"}
        after = good | {key: name for key, name in held.items() if key not in good and (key in names or None in names)}
        for key in held.keys() | after.keys() if place else ():
            if (key in held) != (key in after):
                history.append(f"{place} {key} launch_id: " + (f"{key} -> null" if key in held else f"null -> {key}"))
            elif held[key] != after[key]:
                history.append(f"{place} {key} name: {held[key]} -> {after[key]}")
        held = after
    for chunk in (1, 3):
        state, _, found = followed({}, answers, chunk, begins=1)
        assert (state, found) == (held, sorted(history))
