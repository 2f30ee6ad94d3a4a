"""What the report says of proofs and of changes, against what was done to the stores."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.page import page_of
from tests.program import Program
from tests.sample_api import SampleApi


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def test_the_page_tells_at_its_top_what_proved_the_data(program: Program, api: SampleApi, out: Path) -> None:
    published = program.run()["run_id"]
    assert f"Run 1 ({published}) compared the contents of what it wrote to S3 and MySQL" in page_of(program, out).text
    page = page_of(program, out)
    assert [row["inserted"] for row in page.rows("written") if row["table"] == "launches"] == ["40"]
    api.set("launches", [])
    program.run(code=4)
    text = page_of(program, out).text
    assert text.index("failed; the page shows what was published before it") < text.index(f"Run 1 ({published}) compared")


def test_what_changed_is_what_lies_between_two_snapshots(program: Program, out: Path) -> None:
    with SampleApi(n=30) as api:
        program.environment["SOURCE_URL"] = api.url
        program.run()
        page = page_of(program, out)
        assert "No changes of launches are known" in page.text  # all rows are the first ones
        before = {row["launch_id"]: row for row in program.in_mysql("launches")}
        records = json.loads(api.body("v5/launches"))
        flown = records[10]
        records[3]["name"], records[4]["success"] = "Renamed", not records[4]["success"]
        flown.update(upcoming=True, success=None)
        api.set("launches", [*records, flown | {"id": "new", "name": "Brand new", "upcoming": False, "success": True}])
        run = program.run()
        page = page_of(program, out)
        after = {row["launch_id"]: row for row in program.in_mysql("launches")}
        changed = {
            (after[key]["name"], column, str(before[key][column]), str(value))
            for key in before
            for column, value in after[key].items()
            if value != before[key][column] and column in ("name", "status")
        }
        shown = {tuple(row.values()) for row in page.rows("changes")}
        assert changed == {row for row in shown if row[1] in ("name", "status")}
        assert ("Brand new", "added", "\u2013", "\u2013") in shown
        counts = [Counter(row["status"] for row in rows.values()) for rows in (before, after)]
        launched, success, coming = (
            sum(counts[1][name] for name in names) - sum(counts[0][name] for name in names)
            for names in (set(counts[0] + counts[1]) - {"upcoming"}, {"success"}, {"upcoming"})
        )
        assert f"Launched {launched:+d}, successful {success:+d}, to come {coming:+d}." in page.text
        assert program.run()["state"] == "unchanged"
        text = page_of(program, out).text
        assert f"What run {run['number']} changed" in text
        assert "found nothing new since" in text


def test_stores_that_somebody_alters_are_trusted_no_more_until_they_are_repaired(program: Program, out: Path) -> None:
    with SampleApi(n=10) as api:
        program.environment["SOURCE_URL"] = api.url
        program.run()
        verified = program("verify", "--json").result["run_id"]
        page = page_of(program, out)
        assert f"Run 2 (verify, {verified}) proved it last" in page.text
        assert "both stores were still as published" in page.text
        program.login.query("UPDATE launches SET name = 'Altered' LIMIT 1")
        text = page_of(program, out).text
        assert "the stores have changed since" in text
        assert "both stores were still as published" not in text
        assert "Altered" not in text  # the page is of what was published
        program("verify", code=8)
        page = page_of(program, out)
        assert "the last verify failed" in page.text
        assert [row["number"].strip() for row in page.rows("runs")] == ["3 verify", "2 verify", "1"]
        program.run()
        text = page_of(program, out).text
        assert "Run 3 (verify" in text
        assert "; none has succeeded since." in text
        assert "the stores have changed since" not in text
