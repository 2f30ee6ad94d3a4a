"""An answer so large that it is read in pages, and validated in two processes."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from app.pipeline.second_process import is_worth_it
from tests.program import Program
from tests.sample_api import SampleApi
from tests.sample_api.records import launch

pytestmark = pytest.mark.skipif(not is_worth_it(), reason="on one processor there is no second process")

LAUNCHES = 13_000  # over 16 MiB


@pytest.fixture(scope="module")
def launches() -> list[dict[str, Any]]:
    return [launch(index) for index in range(LAUNCHES)]


def second_process(process: "subprocess.Popen[str]") -> Path:
    """The process that the program has started; waits for it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            return Path("/proc", child)
    raise AssertionError("there was no second process")


def sockets(process: Path) -> list[str]:
    found = []
    for file in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(file.readlink()))
    return [one for one in found if one.startswith("socket:")]


def gone(process: Path, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while process.exists() and "State:\tZ" not in (process / "status").read_text():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_both_halves_come_to_one_snapshot(program: Program, api: SampleApi, launches: list[dict[str, Any]]) -> None:
    in_order = sorted(one["id"] for one in launches)  # the order of the pages
    odd = {in_order[place]: changes for place, changes in ((10, {"surprise": 1}), (9_000, {"name": 7}), (12_000, {"another": 1}))}
    served = [one | odd.get(one["id"], {}) for one in launches]
    api.set_launches(served)
    process = program.start("run", "--json")
    second_process(process)
    result = json.loads(process.communicate(timeout=120)[0])
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
    assert manifest["lookups"]["payloads"]["ids"] == len({payload for one in good for payload in one["payloads"]})
    program("verify", "--json")
    assert program.run()["state"] == "unchanged"


def test_sigterm_ends_both_processes(program: Program, api: SampleApi, launches: list[dict[str, Any]]) -> None:
    api.set_launches(launches)
    process = program.start("run", "--json")
    second = second_process(process)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, json.loads(out)["state"]) == (143, "failed")
    assert gone(second, 0)
    assert program.keys("launches/") == []


def test_after_sigkill_nothing_holds_the_lock(program: Program, api: SampleApi, launches: list[dict[str, Any]]) -> None:
    api.set_launches(launches)
    process = program.start("run", "--json")
    second = second_process(process)
    while sockets(second):
        time.sleep(0.001)  # until it has closed what is not its own: the first thing that it does
    os.kill(int(second.name), signal.SIGSTOP)  # what it still holds open it holds for as long as it likes
    process.kill()
    process.wait(30)
    api.set_launches(launches[:205])
    assert program.run()["state"] == "published"
    os.kill(int(second.name), signal.SIGCONT)
    process.communicate(timeout=30)
    assert gone(second, 30)
    program.assert_equal(205)


def test_a_second_process_that_is_killed_ends_the_run(program: Program, api: SampleApi, launches: list[dict[str, Any]]) -> None:
    api.set_launches(launches)
    process = program.start("run", "--json")
    os.kill(int(second_process(process).name), signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    result = json.loads(out)
    assert (process.returncode, result["state"]) == (1, "failed")
    assert "the second process exited without a result" in result["error"]
    assert program.keys("launches/") == []
