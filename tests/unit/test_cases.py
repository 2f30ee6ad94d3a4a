"""The cases that validation and transformation decide, on those alone: what is accepted, as which rows, and what is set aside."""

from pathlib import Path

import pytest

from app.core.schema import SNAPSHOT
from app.core.validate import validate
from app.sources.spacex.columns import SpacexParser
from tests import cases
from tests.cases import Answer, Case, all_cases

ANSWERS = [
    pytest.param(case, answer, id=f"{case}{', next' * number}")
    for case in all_cases()
    if not case.needs_run
    for number, answer in enumerate(case.answers)
]


def parser_for(answer: Answer) -> SpacexParser:
    parser = SpacexParser(lambda _, __: None)
    for index, payload in enumerate(answer.payloads):
        parser.learn("payloads", index, payload)
    return parser


@pytest.mark.parametrize(("case", "answer"), ANSWERS)
def test_a_case_comes_to_what_its_file_says(case: Case, answer: Answer) -> None:
    (checked,) = validate(enumerate(answer.launches), parser_for(answer))
    tables = checked.tables
    case.check(answer, {name: table.to_pylist() for name, table in tables.items()})
    wanted = answer.outcome.rejected
    assert len(checked.rejected) == len(wanted)
    for (reject, _), expected in zip(checked.rejected, wanted, strict=True):
        number = None if reject.id is None else case.number_of(reject.id)
        assert (reject.index, number, reject.path) == (expected.index, expected.launch, expected.path)
        assert expected.value in (None, reject.value)
    assert sorted(checked.unknown_fields) == sorted(answer.outcome.unknown_fields)
    assert sorted(checked.notes) == sorted(answer.outcome.notes)


@pytest.mark.parametrize(("case", "answer"), ANSWERS)
def test_a_record_comes_to_the_same_alone(case: Case, answer: Answer) -> None:
    """What the other records hold, or lack, changes no column and no type."""
    (checked,) = validate(enumerate(answer.launches), parser_for(answer))
    together = checked.tables
    alone = [one.tables for record in answer.launches for one in validate([(0, record)], parser_for(answer))]
    for name, table in SNAPSHOT.items():
        assert {tables[name].schema for tables in (together, *alone)} == {table.arrow}
        assert [row for tables in alone for row in tables[name].to_pylist()] == together[name].to_pylist()


@pytest.mark.parametrize(
    ("text", "unread"),
    [
        ("story: One.\nlaunches: []\noutcome: {launches: {}}\nsurprise: 1", "surprise"),
        ("story: One.\nlaunches: []\noutcome: {launches: {}, reject: []}", "reject"),
        ("story: One.\nlaunches: []\noutcome: {launches: {}}\nnext: {launches: [], outcome: {launches: {}}, more: 1}", "more"),
    ],
)
def test_a_case_file_with_a_key_that_nothing_reads_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, unread: str
) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases/one.yaml").write_text(text)
    monkeypatch.setattr(cases, "FIXTURES", tmp_path)
    with pytest.raises(AssertionError, match=f"nothing reads {unread}"):
        cases._case("one", 0)
