"""A third source takes one file: that of docs/adding-a-source.md, as it stands there."""

import json
import re
import shutil
from pathlib import Path

from tests.program import Program
from tests.sample_api import Fault, SampleApi

ROOT = Path(__file__).parents[2]
ENTRIES = [
    {"id": "a-1", "mission": "First", "liftoff": "2020-05-30T19:22:00Z", "went_well": True},
    {"id": "a-2", "mission": "Second", "liftoff": "2021-01-01", "went_well": None, "weather": "fair"},
    {"id": "a-3", "mission": 3, "liftoff": "2021-01-02"},
]


def test_the_documented_source_is_one_file(program: Program, api: SampleApi, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app")
    text = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/adding-a-source.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "app/sources/logbook.py").write_text(text[0])
    api.set("logbook/launches", ENTRIES)
    program.environment |= {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}  # the copy, not what is in this directory
    program.environment |= {"SOURCE": "logbook", "MAX_REJECTED_RATIO": "0.5"}
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
