"""Records out of bodies: what each body comes to, sound, odd or broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.core.model import Body, Response, UnreadableRecord
from app.core.validate import MAX_BATCH_BYTES, in_batches
from app.errors import SourceError
from app.sources.json_reader import Page, read_page, read_records, read_texts

DEEP = b"[" * 100_000 + b"]" * 100_000
DIGITS = b"9" * 5_000


def response(folder: Path, *bodies: bytes) -> Response:
    found = []
    for number, body in enumerate(bodies):
        path = folder / f"launches-{number}.json"
        path.write_bytes(body)
        found.append(Body(path, "", len(body)))
    return Response("launches", None, tuple(found))


def records(folder: Path, *bodies: bytes) -> list[Any]:
    return [
        record.reason if isinstance(record, UnreadableRecord) else record
        for batch in read_records(response(folder, *bodies), 2)
        for _, record in batch
    ]


@pytest.mark.parametrize("wrap", [b"[%s]", b'{"page": 1, "docs": [%s], "docs2": []}', b'\xef\xbb\xbf \n{"results":\t[%s]}\r\n'])
@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (b"", []),
        (b' {"id": "a"} ,\n{"id": "b"}', [{"id": "a"}, {"id": "b"}]),
        (b'1, null, "],[{", [], {}', [1, None, "],[{", [], {}]),
        (b'{"a": 1, "a": 2}', [{"a": 2}]),
        (b'"\\ud800", {"x\\"": "\\\\"}', ["\ud800", {'x"': "\\"}]),
        (b"1e999, -Infinity, [NaN]", [float("inf"), float("-inf"), "NaN"]),
        (b'1, {"x": ' + DEEP + b"}, 2", [1, "nested too deeply", 2]),
        (b"1, " + DIGITS + b", [" + DIGITS + b"], 2", [1, *["a number of too many digits"] * 2, 2]),
        (b"[" + DEEP + b", " + DIGITS + b"], 3", ["nested too deeply", 3]),
    ],
)
def test_each_element_is_a_record_by_itself(tmp_path: Path, wrap: bytes, elements: bytes, expected: list[Any]) -> None:
    found = records(tmp_path, wrap.replace(b"%s", elements))
    assert [repr(record) for record in found] == [repr([float("nan")]) if want == "NaN" else repr(want) for want in expected]


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"null",
            b'"[]"',
            b"[",
            b"[1",
            b"[1}",
            b"[1]]",
            b"[1] 2",
            b"x[1]",
            b"[1,]",
            b"[,1]",
            b"[1 2]",
            b"[1:2]",
            b"[01]",
        ),
        *(b'["a]', b'["\\x"]', b"[tru]", b"[{]}", b"[[1}]", b'[{"a"}]', b"[NaN,}]", b"[" * 100_000, DEEP + b"]", b"[" + DEEP),
        *(
            b"{}",
            b'{"docs": 1}',
            b'{"docs": [1}',
            b'{"docs": [NaN] "a": 1}',
            b"{docs: [NaN]}",
            b'{"docs": [NaN], "a": nul}',
            b'{"docs"}',
        ),
        *(
            b'["\xff"]',
            b'[{"a": {"b": "\xff"}}]',
            b'{"docs": [NaN, "\xc3"]}',
            b'{"a\xff": 1, "docs": []}',
            "[1]".encode("utf-16"),
        ),
        *(b"[" + b"1," * 400_000 + b"1]", b"[" + b" " * (33 << 20) + b"]"),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_list_of_records_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(SourceError, match=r"^launches: the answer .* \(what was sent is kept in the raw archive\)"):
        records(tmp_path, body)


def test_places_go_on_through_the_bodies(tmp_path: Path) -> None:
    batches = list(read_texts(response(tmp_path, b'[1, {"a": 2}]', b'{"docs": [3]}', b"[]", b"[4, NaN]"), 2))
    assert batches == [[(0, b"1"), (1, b'{"a": 2}')], [(2, b"3"), (3, b"4")], [(4, b"NaN")]]


@pytest.mark.parametrize("listed", ["docs", "results"])
@pytest.mark.parametrize("records", ['[{"id": "a"}]', '[{"id": "a", "x": NaN}]', '[{"id": "a", "name": 5}]'])
def test_a_page_has_its_fields_and_its_list(tmp_path: Path, listed: str, records: str) -> None:
    other = {"docs": "results", "results": "docs"}[listed]
    for rest in ("", f'"{other}": null, ', '"other": {"docs": []}, '):
        page = page_of(tmp_path, f'{{"totalDocs": 1, {rest}"{listed}": {records}, "next": null, "page": 2}}'.encode())
        assert (page.page, page.total_docs, page.next, page.count) == (2, 1, None, None)
        assert [record.id for record in page.records] == ["a"]


def test_a_page_without_records_or_with_too_many(tmp_path: Path) -> None:
    assert list(page_of(tmp_path, b'{"docs": [], "hasNextPage": true}').records) == []
    for body in (b"{}", b'{"docs": 1}', b'{"docs": null}', b"[]", b'{"docs": [%s1]}' % (b"1," * 400_000)):
        with pytest.raises(ValueError, match=r"list|records|\[\] expected|\{\} expected"):
            page_of(tmp_path, body)


@pytest.mark.parametrize("record", [b"1", b"[]", b'{"id": NaN}', b'{"x": ' + DEEP + b"}", b'{"name": "n"}', b'{"id": ["n"]}'])
def test_a_glance_takes_any_record(tmp_path: Path, record: bytes) -> None:
    known, found = page_of(tmp_path, b'{"docs": [{"id": "a", "upcoming": true}, %s]}' % record).records
    assert (known.id, known.upcoming) == ("a", True)
    assert found.id is None or repr(found.id) == repr(json.loads(record)["id"])


def page_of(tmp_path: Path, body: bytes) -> Page:
    path = tmp_path / "page"
    path.write_bytes(body)
    return read_page(path)


def test_a_batch_is_small_in_bytes_as_in_records() -> None:
    large = b"x" * (MAX_BATCH_BYTES // 2)
    sent = [(0, b"a"), (1, b"b"), (2, b"c"), (3, large), (4, large), (5, large), (6, b"d")]
    assert [[place for place, _ in batch] for batch in in_batches(sent, 2)] == [[0, 1], [2, 3], [4, 5], [6]]
    assert [[place for place, _ in batch] for batch in in_batches(sent, 100)] == [[0, 1, 2, 3, 4], [5, 6]]
