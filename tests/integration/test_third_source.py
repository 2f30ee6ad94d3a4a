"""A third source takes one file: that of docs/adding-a-source.md, as it stands there."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.program import Program
from tests.sample_api import Fault, SampleApi

ROOT = Path(__file__).parents[2]
ENTRIES = [
    {"id": "a-1", "mission": "First", "liftoff": "2020-05-30T19:22:00Z", "went_well": True},
    {"id": "a-2", "mission": "Second", "liftoff": "2021-01-01", "went_well": None, "weather": "fair"},
    {"id": "a-3", "mission": 3, "liftoff": "2021-01-02"},
]


@pytest.fixture
def module(program: Program, api: SampleApi, tmp_path: Path) -> Path:
    """The file of the third source, in a copy of the program that is set up for it."""
    shutil.copytree(ROOT / "app", tmp_path / "app")
    text = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/adding-a-source.md").read_text(), re.DOTALL | re.MULTILINE)
    path = tmp_path / "app/sources/logbook.py"
    path.write_text(text[0])
    api.set("logbook/launches", ENTRIES)
    program.environment |= {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}  # the copy, not what is in this directory
    program.environment |= {"SOURCE": "logbook", "MAX_REJECTED_RATIO": "0.5"}
    return path


@pytest.mark.usefixtures("module")
def test_the_documented_source_is_one_file(program: Program, api: SampleApi) -> None:
    result = program.run()
    assert (result["source"], result["state"], result["rejected"]) == ("logbook", "published", 1)
    assert "fields that the contract does not know: weather" in result["warnings"]
    assert program.run()["state"] == "unchanged"
    rows = [(row["launch_id"], row["name"], row["status"], row["launch_year"]) for row in program.in_mysql("launches")]
    assert rows == [("a-1", "First", "success", 2020), ("a-2", "Second", "unknown", 2021)]
    program.assert_equal(2)
    assert program("plan", "--json").result["plan"]["put"] == []
    program("replay", result["run_id"])
    program.assert_equal(2)
    checks = json.loads(program("doctor", "--json").stdout)
    assert any("3 launches, the newest past one 2021-01-02, 3" in check["found"] for check in checks)
    api.fault("logbook/launches", Fault(status=404))
    program("run", code=3)
    refused = program("run", code=2, SOURCE="elsewhere")
    assert "SOURCE: must be one of launch_library, logbook, spacex" in refused.stderr


@pytest.mark.parametrize("sends_changes", [False, True])
def test_a_change_of_a_source_that_gives_parsed_records(
    program: Program, api: SampleApi, module: Path, *, sends_changes: bool
) -> None:
    """Whether it sends everything or only what changed: there are no bytes to compare, and everything is validated."""
    if sends_changes:
        text = module.read_text()
        whole = 'Response.answered("launches", answer.etag, (answer.body,), before)'
        assert whole in text
        module.write_text(text.replace(whole, 'Response("launches", answer.etag, (answer.body,), base=before)'))
    program.run()
    changed = {**ENTRIES[1], "mission": "Renamed"}
    api.set("logbook/launches", [changed] if sends_changes else [ENTRIES[0], changed])
    assert program.run()["state"] == "published"
    assert [(row["launch_id"], row["name"]) for row in program.in_mysql("launches")] == [("a-1", "First"), ("a-2", "Renamed")]
    program.assert_equal(2)
