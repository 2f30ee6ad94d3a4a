"""Two answers read side by side differ in what a comparison of both as a whole finds, in whatever order and batches they come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pipeline import comparison
from app.pipeline.comparison import InDoubt, Record, side_by_side

SAME = [json.dumps({"id": f"launch-{i}", "text": "x" * 100}).encode() for i in range(100)]

answers = st.dictionaries(st.sampled_from([f"launch-{i}" for i in range(12)]), st.integers(0, 2)).flatmap(
    lambda found: st.permutations(list(found.items()))
)


def records(answer: list[tuple[str, int]]) -> list[Record]:
    return [(place, json.dumps({"id": key, "flight": value}).encode()) for place, (key, value) in enumerate(answer)]


def batches(found: list[Record], size: int) -> list[list[Record]]:
    return [found[start : start + size] for start in range(0, len(found), size)]


@given(answers, answers, st.integers(1, 5), st.integers(1, 5), st.sets(st.sampled_from(["launch-1", "launch-2"])))
def test_what_differs_is_found(
    before: list[tuple[str, int]], after: list[tuple[str, int]], batch_before: int, batch_after: int, suspect: set[str]
) -> None:
    was, now, same = side_by_side(
        batches(records(before), batch_before), batches(records(after), batch_after), lambda key, _: key in suspect
    )
    known, found = dict(before), dict(after)
    unchanged = {key for key, value in known.items() if found.get(key) == value} - suspect
    assert same == len(unchanged)
    assert was == {key: record for (key, _), record in zip(before, records(before), strict=True) if key not in unchanged}
    assert now == {key: record for (key, _), record in zip(after, records(after), strict=True) if key not in unchanged}


@given(answers, answers, st.integers(1, 5), st.booleans())
def test_an_id_that_comes_twice_is_in_doubt(
    answer: list[tuple[str, int]], other: list[tuple[str, int]], size: int, is_before: bool
) -> None:
    sides = batches(records([*answer, *answer[:1]]), size), batches(records(other), size)
    if answer:
        with pytest.raises(InDoubt, match="came twice"):
            side_by_side(*(sides if is_before else reversed(sides)))


@pytest.mark.parametrize("shift", [0, 1])
def test_records_of_suspects_are_bounded_too(monkeypatch: pytest.MonkeyPatch, shift: int) -> None:
    """As after the change of a rocket that all launches name; whether they stand at the same places or not."""
    before = list(enumerate(SAME))
    after = list(enumerate([*SAME[shift:], *SAME[:shift]]))
    assert side_by_side([before], [after]) == ({}, {}, 100)
    monkeypatch.setattr(comparison, "_MOST_BYTES", 10_000)
    with pytest.raises(InDoubt, match="of records may have changed"):
        side_by_side(batches(before, 10), batches(after, 10), lambda *_: True)
