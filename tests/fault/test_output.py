"""Output never decides how a command ends: closed, full, read by nobody, or in an encoding that lacks characters."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.program import Program
from tests.sample_api import Fault, SampleApi

COMMAND = f'exec "{sys.executable}" -m app "$@"'
BROKEN = {
    "closed": (COMMAND + " >&-", "it is closed"),
    "full": (COMMAND + " >/dev/full", "No space left on device"),
    "left by its reader": (f'"{sys.executable}" -m app "$@" | true; exit $PIPESTATUS', "Broken pipe"),
}


def ended(program: Program, script: str, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """A command with its output as the script directs it."""
    environment = {**program.environment, **settings}
    done = subprocess.run(
        ["bash", "-c", script, "bash", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize("broken", BROKEN)
def test_a_run_ends_as_it_would_with_one_line_on_what_is_left(program: Program, api: SampleApi, broken: str) -> None:
    script, reason = BROKEN[broken]
    done = ended(program, script, "run")
    assert done.returncode == 0
    assert done.stderr == f"spacex-pipeline: run published (exit 0); standard output could not be written: {reason}\n"
    program.assert_equal(40)
    api.fault("launches", Fault(body="html"))
    done = ended(program, script, "run")
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert line.startswith("spacex-pipeline: run, extract failed: ")
    assert line.endswith(f" (exit 3); standard output could not be written: {reason}")


@pytest.mark.parametrize("broken", BROKEN)
def test_log_lines_that_nobody_takes_leave_the_result(program: Program, broken: str) -> None:
    script, _ = BROKEN[broken]
    on_stderr = script.replace(" >", " 2>").replace('"$@" |', '"$@" 3>&1 1>&2 2>&3 |')
    done = ended(program, on_stderr, "runs", "--json")
    assert done.returncode == 0, done
    assert json.loads(done.stdout or done.stderr) == []


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("arguments", [["fly"], ["run"]], ids=["usage", "settings"])
def test_a_refusal_finds_the_stream_that_is_left(program: Program, broken: str, arguments: list[str]) -> None:
    script, reason = BROKEN[broken]
    on_stderr = script.replace(" >", " 2>").replace('"$@" |', '"$@" 3>&1 1>&2 2>&3 |')
    done = ended(program, on_stderr, *arguments, MYSQL_PORT="many")
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("spacex-pipeline: ")
    assert ("No such command 'fly'" if arguments == ["fly"] else "MYSQL_PORT") in line
    assert line.endswith(f"standard error could not be written: {reason}")


def test_help_that_nobody_takes_leaves_one_line(program: Program) -> None:
    done = ended(program, COMMAND + " >/dev/full", "run", "--help")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "spacex-pipeline: help or version was asked for; standard output could not be written: No space left on device"
    ]


def test_with_both_closed_the_exit_code_is_left(program: Program) -> None:
    assert ended(program, COMMAND + " >&- 2>&-", "run").returncode == 0
    assert ended(program, COMMAND + " >/dev/full 2>/dev/full", "run", "--json").returncode == 0
    assert ended(program, COMMAND + " <&- >&- 2>&-", "fly").returncode == 2
    program.assert_equal(40)


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "C"],
)
def test_what_an_encoding_lacks_is_escaped(program: Program, api: SampleApi, settings: dict[str, str]) -> None:
    name = "größe 火箭 🚀"
    launches = json.loads(api.body("launches"))
    launches[0][name] = 5
    api.set("launches", launches)
    encoding = "latin-1" if settings.get("PYTHONIOENCODING") == "latin-1" else "ascii"
    environment = {**program.environment, **settings}
    for arguments in (["run"], ["plan", "--json"]):
        command = [sys.executable, "-m", "app", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0
        log = (done.stderr if "--json" in arguments else done.stdout).decode(encoding)
        lines = [json.loads(line) for line in log.splitlines()]
        assert any(name in line.get("message", "") for line in lines), log
        if "--json" in arguments:
            assert any(name in warning for warning in json.loads(done.stdout.decode(encoding))["warnings"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_while_the_program_is_starting_ends_it_with_one_line(program: Program, api: SampleApi, number: int) -> None:
    """From its first statement on; before that Python itself is starting."""
    api.fault("launches", Fault(hang_s=60))
    for delay_s in (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2):
        process = program.start("run")
        while not _is_heeded(process.pid, signal.SIGTERM):
            assert process.poll() is None
        time.sleep(delay_s)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 128 + number, (delay_s, out, err)
        told = [line for line in (out + err).splitlines() if f"stopped by {signal.Signals(number).name}" in line]
        assert len(told) == 1, (delay_s, out, err)
        assert "Traceback" not in out + err


def _is_heeded(pid: int, number: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)
