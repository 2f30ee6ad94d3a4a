"""Cases as data: what a source sends and what must come of it, one file each in tests/fixtures/cases.

A case that is misread must not pass, so every key of a file is used, or reading it fails.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from app.core.schema import SNAPSHOT, TABLES

FIXTURES = Path(__file__).parent / "fixtures"
Record = dict[str, Any]
Rows = dict[str, list[Record]]


@dataclass(frozen=True)
class Reject:
    """A record that must be set aside; `launch` is its number, unless its id is what is wrong."""

    index: int
    launch: int | None
    path: str
    value: str | None = None  # not stated where it is long


@dataclass(frozen=True)
class Outcome:
    """What must come of one answer."""

    launches: dict[int, Record]  # exactly those that are accepted, by number: the columns that matter
    as_sent: Sequence[str] = ()  # columns that hold, in every accepted launch, what the field of this name was sent with
    retained: Sequence[int] = ()  # launches that keep the rows they had
    children: Rows = field(default_factory=dict)  # all rows of further tables, `launch` being the number
    rejected: Sequence[Reject] = ()
    unknown_fields: Sequence[str] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()  # further ones of a run


@dataclass(frozen=True)
class Answer:
    """What the API answers, and its outcome."""

    launches: list[Record]
    payloads: list[Record]
    outcome: Outcome


@dataclass(frozen=True)
class Case:
    """One failure that this kind of job is known for, as answers that follow each other."""

    name: str
    story: str
    block: int  # launches of several blocks can be served together
    answers: list[Answer]
    needs_run: bool  # not decided by validate and transform alone

    def __str__(self) -> str:
        """How pytest names it."""
        return self.name

    def number_of(self, launch_id: str) -> int | None:
        """The number of a launch of this case, or None for any other."""
        block, number = int(launch_id[2:6], 16), int(launch_id[6:], 16)
        return number if block == self.block else None

    def check(self, answer: Answer, rows: Mapping[str, list[Record]]) -> None:
        """Fail unless these rows are what must come of the answer; rows of other cases, and retained ones, are passed over."""
        outcome, sent = answer.outcome, {record["id"]: record for record in answer.launches if "id" in record}
        launches = {number: row for row in rows["launches"] if (number := self.number_of(row["launch_id"])) is not None}
        mine = {number: row for number, row in launches.items() if number not in outcome.retained}
        assert mine.keys() == outcome.launches.keys(), self
        for number, row in mine.items():
            expected = {name: sent[row["launch_id"]].get(name) for name in outcome.as_sent} | outcome.launches[number]
            assert _only(row, expected) == {name: _plain(value) for name, value in expected.items()}, f"{self}, launch {number}"
        for table, expected_rows in outcome.children.items():
            found = [row | {"launch": self.number_of(row["launch_id"])} for row in rows[table]]
            found = sorted((row for row in found if row["launch"] in mine), key=lambda row: (row["launch"], row["position"]))
            assert [_only(row, expected) for row, expected in zip(found, expected_rows, strict=True)] == expected_rows, self


def _only(row: Record, wanted: Mapping[str, Any]) -> Record:
    return {name: _plain(row[name]) for name in wanted}


def _plain(value: Any) -> Any:
    """Instants, which stores return as such and cases name as text, as text of one form."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", value):
        value = datetime.fromisoformat(value)
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


# --- reading ----------------------------------------------------------------------------------------------------------


@cache
def all_cases() -> list[Case]:
    """The cases about launches, each in a block of its own."""
    files = sorted((FIXTURES / "cases").glob("*.yaml"))
    return [_case(file.stem, block) for block, file in enumerate(files) if "launches" in yaml.safe_load(file.read_text())]


def case(name: str) -> Case:
    """The case with this name, or with a name that begins so."""
    (found,) = [case for case in all_cases() if case.name.startswith(name)]
    return found


def _case(name: str, block: int) -> Case:
    with other_case(name) as keys:
        answers = [_answer(keys, block)]
        if "next" in keys:
            with all_used(keys.pop("next"), name) as following:
                answers.append(_answer(following, block))
        return Case(name, keys.pop("story"), block, answers, needs_run=keys.pop("decided_by", "core") == "run")


@contextmanager
def other_case(name: str) -> Iterator[Record]:
    """The keys of one case file, which the reader takes out: a key that is left is an error."""
    file = FIXTURES / "cases" / f"{name}.yaml"
    with all_used(yaml.safe_load(file.read_text(encoding="utf-8")), name) as keys:
        yield keys


@contextmanager
def all_used(keys: Record, where: str) -> Iterator[Record]:
    """Keys that the reader takes out: one that is left is an error."""
    yield keys
    assert not keys, f"{where}: nothing reads {', '.join(keys)}"


def _answer(keys: Record, block: int) -> Answer:
    launches = [record("launch", given, block) for given in keys.pop("launches")]
    payloads = [record("payload", given, block) for given in keys.pop("payloads", ())]
    with all_used(keys.pop("outcome"), "outcome") as outcome:
        return Answer(launches, payloads, _outcome(outcome))


def _outcome(keys: Record) -> Outcome:
    children = {table: keys.pop(table) for table in TABLES if table in keys and table != "launches"}
    found = Outcome(
        launches=keys.pop("launches"),
        as_sent=keys.pop("as_sent", ()),
        retained=keys.pop("retained", ()),
        children=children,
        rejected=[Reject(**given) for given in keys.pop("rejected", ())],
        unknown_fields=keys.pop("unknown_fields", ()),
        notes=keys.pop("notes", ()),
        warnings=keys.pop("warnings", ()),
    )
    named = {("launches", column) for row in found.launches.values() for column in row}
    named |= {(table, column) for table, rows in children.items() for row in rows for column in row if column != "launch"}
    assert not {(table, c) for table, c in named if c not in {column.name for column in SNAPSHOT[table].facts}}
    return found


def record(template: str, given: Mapping[str, Any], block: int = 0) -> Record:
    """A record of a kind: the template's, but for what is given. `without` takes fields out."""
    changes = dict(given)
    number = changes.pop("number")
    names = {"number": number, "id": _id(block, number), "payload": _id(block, 5000 + number), "core": _id(block, 7000 + number)}
    made: Record = _filled(_template(template), names)
    for name in changes.pop("without", ()):
        del made[name]
    return made | {name: _repeated(value) for name, value in changes.items()}


@cache
def _template(name: str) -> Any:
    return yaml.safe_load((FIXTURES / f"{name}.yaml").read_text())


def _id(block: int, number: int) -> str:
    return f"ab{block:04x}{number:018x}"


def _filled(value: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, names) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, names) for part in value]
    if value == "{number}":
        return names["number"]
    return value.format_map(names) if isinstance(value, str) else value


def _repeated(value: Any) -> Any:
    """A long text is given as what it repeats, and how often."""
    if isinstance(value, dict) and value.keys() == {"repeat", "times"}:
        return value["repeat"] * value["times"]
    return value
