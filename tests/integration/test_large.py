"""An answer so large that it is read in pages."""

import gzip
import json

from tests.program import Program
from tests.sample_api import SampleApi
from tests.sample_api.records import launch

LAUNCHES = 13_000  # over 16 MiB


def test_pages_come_to_one_snapshot(program: Program, api: SampleApi) -> None:
    launches = [launch(index) for index in range(LAUNCHES)]
    in_order = sorted(one["id"] for one in launches)  # the order of the pages
    odd = {in_order[place]: changes for place, changes in ((10, {"surprise": 1}), (9_000, {"name": 7}), (12_000, {"another": 1}))}
    served = [one | odd.get(one["id"], {}) for one in launches]
    api.set_launches(served)
    result = json.loads(program("run", "--json").stdout)
    assert (result["exit_code"], result["rows"]["launches"], result["rejected"]) == (0, LAUNCHES - 1, 1)
    assert any("surprise" in warning and "another" in warning for warning in result["warnings"])
    [line] = gzip.decompress(program.object(f"quarantine/run={result['run_id']}/launches.jsonl.gz")).splitlines()
    assert (json.loads(line)["index"], json.loads(line)["id"]) == (9_000, in_order[9_000])
    good = [one for one in served if one["id"] != in_order[9_000]]
    expected = {
        "launches": len(good),
        "launch_cores": sum(len(one["cores"]) for one in good),
        "launch_payloads": sum(len(one["payloads"]) for one in good),
        "launch_failures": sum(len(one["failures"]) for one in good),
        "launch_crew": sum(len(one["crew"]) for one in good),
    }
    for table, rows in expected.items():
        assert program.login.query(f"SELECT COUNT(*) FROM `{table}`") == ((rows,),)
    assert {row[0] for row in program.login.query("SELECT launch_id FROM launches")} == {one["id"] for one in good}
    manifest = json.loads(program.object(f"manifests/run={result['run_id']}.json"))
    assert manifest["lookups"]["payloads"]["references"] == expected["launch_payloads"]
    program("verify", "--json")
    assert program.run()["state"] == "unchanged"
