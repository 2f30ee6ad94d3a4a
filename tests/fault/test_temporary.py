"""Temporary folders of killed runs are removed by the next run, those of living ones are not, and without any a run says so."""

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from app.commands.temporary import temporary_folder
from tests.program import Program
from tests.sample_api import Fault, SampleApi

PREFIX = "spacex-pipeline-run-"


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_else(program: Program, api: SampleApi, tmp_path: Path) -> None:
    settings = {"TMPDIR": str(tmp_path)}
    api.fault("launches", Fault(hang_s=60))
    killed = program.start("run", **settings)
    while not api.requests:
        assert killed.poll() is None
        time.sleep(0.02)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith(PREFIX)
    program("runs", **settings)
    assert list(tmp_path.iterdir()) == [folder]  # its run is at work
    killed.kill()
    killed.communicate()
    assert list(tmp_path.iterdir()) == [folder]
    program("runs", **settings)
    assert list(tmp_path.iterdir()) == []


def test_only_private_folders_of_ours_are_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base, elsewhere = tmp_path / "base", tmp_path / "elsewhere"
    base.mkdir()
    elsewhere.mkdir(0o700)
    (elsewhere / "kept").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    (base / "another-program").mkdir(0o700)
    (base / f"{PREFIX}file").touch(0o700)
    (base / f"{PREFIX}link").symlink_to(elsewhere)
    (base / f"{PREFIX}open").mkdir()
    (base / f"{PREFIX}open").chmod(0o755)
    stay = set(base.iterdir())
    if os.getuid() == 0:
        (foreign := base / f"{PREFIX}foreign").mkdir(0o700)
        os.chown(foreign, 12345, 12345)
        stay.add(foreign)
    (left := base / f"{PREFIX}left").mkdir(0o700)
    (left / "deep").mkdir()
    (left / "deep" / "link").symlink_to(elsewhere)
    (left / "file").touch()
    with temporary_folder() as ours:
        assert set(base.iterdir()) == {*stay, ours}
        assert ours.stat().st_mode & 0o777 == 0o700
    assert set(base.iterdir()) == stay
    assert (elsewhere / "kept").exists()


def test_runs_that_start_at_once_never_remove_each_other_s(tmp_path: Path) -> None:
    processes = [multiprocessing.get_context("spawn").Process(target=_make_folders, args=(str(tmp_path),)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
    assert list(tmp_path.iterdir()) == []


def _make_folders(base: str) -> None:
    tempfile.tempdir = base
    for _ in range(150):
        with temporary_folder() as folder:
            (folder / "file").write_text("held")
            time.sleep(0.001)
            assert (folder / "file").read_text() == "held"


NOWHERE = {
    # In namespaces of its own, so that it needs no rights and nobody else finds these directories read-only.
    "read-only": (
        ["unshare", "--user", "--map-root-user", "--mount"],
        'for p in /tmp /var/tmp; do mount --bind "$p" "$p"; mount -o remount,bind,ro "$p"; done; cd /tmp; exec "$@"',
    ),
    "full": ([], 'ulimit -f 0; exec "$@"'),
}


@pytest.mark.parametrize("way", NOWHERE)
def test_without_any_a_command_says_so(program: Program, way: str) -> None:
    before, script = NOWHERE[way]
    environment = {**program.environment, "PYTHONPATH": str(Path.cwd()), "TMPDIR": "/nowhere"}
    for arguments in (["run"], ["run", "--json"]):
        command = [*before, "bash", "-c", script, "bash", sys.executable, "-m", "app", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        log = done.stderr if "--json" in arguments else done.stdout
        lines = [line for line in map(json.loads, log.splitlines()) if "message" in line]
        assert len(lines) == 1
        assert "run failed: no temporary directory can be used: " in lines[0]["message"]
        assert "set TMPDIR" in lines[0]["message"]
        if "--json" in arguments:
            result = json.loads(done.stdout)
            assert (result["state"], result["exit_code"]) == ("failed", 1)
            assert "no temporary directory can be used" in result["error"]
