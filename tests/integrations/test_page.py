"""docs/schedulers.md: its lines lead to a first scheduled run. They are typed as they stand, in a copy of the checkout."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.environments import ROOT
from tests.program import QUICK

PAGE = (ROOT / "docs/schedulers.md").read_text()
MOST_LINES = 10
SHOWN = {  # asked at the end, and what is to be found in the output
    "Prefect": ("prefect deployment schedule ls spacex-pipeline/hourly", r'"Unchanged".*cron: 7 \* \* \* \*'),
    "Airflow": ("airflow dags list-runs spacex_pipeline_worker", r"scheduled__\S+ +\| success"),
}
TIMEOUT_S = 400
LEADING_NOWHERE = ("AWS_", "MYSQL_", "S3_", "SOURCE", "PREFECT_", "AIRFLOW_", "PIPELINE_", "ENGINE", "CI")


def lines(section: str) -> str:
    """The first block of code under a heading."""
    found = re.search(rf"^## {section}.*?\n\n((?:    [^\n]*\n)+)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, section
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy with what git knows, and the environments that are made already, so that nothing is fetched."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    copy = tmp_path / "checkout"
    for name in filter(None, listed.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
        os.utime(copy / name, (0, 0))  # so that make takes the environments for up to date: they belong to the other checkout
    (copy / "build").mkdir()
    for folder in (".venv", "build/prefect", "build/airflow"):
        (copy / folder).symlink_to(ROOT / folder)
    return copy


def typed(text: str, checkout: Path) -> tuple[int, str]:
    """A shell in which the lines are typed one after another; everything that it started is ended with it."""
    left_out = (*LEADING_NOWHERE, *QUICK, "MAKE", "MFLAGS")  # the make that runs the tests hands its own arguments on
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    log = checkout.parent / "typed.log"
    with log.open("w") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        options: dict[str, Any] = {"cwd": checkout, "env": environment, **streams}
        shell = subprocess.Popen(["bash", "-euxc", text], start_new_session=True, **options)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                shell.wait(TIMEOUT_S)
        finally:
            subprocess.run(["make", "down"], check=False, **options)
            _end(shell.pid, checkout)
            shell.wait()
    logs = [log, *(checkout / "build").glob("*.log")]
    return shell.returncode, "\n".join(path.read_text(errors="replace")[-6000:] for path in logs)


def _end(session: int, checkout: Path) -> None:
    """End what was started in the session, or knows the copy from its environment: servers make sessions of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in Path("/proc").glob("[0-9]*"):
            try:
                ours = str(checkout).encode() in (process / "environ").read_bytes()
                if (ours or os.getsid(int(process.name)) == session) and int(process.name) != os.getpid():
                    os.kill(int(process.name), number)
            except OSError:
                continue
        subprocess.run(["sleep", "5"], check=True)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.xdist_group(f"page-{name}")) for name in ("Prefect", "Airflow")],
)
def test_its_lines_lead_to_a_first_scheduled_run(name: str, checkout: Path) -> None:
    first, then = lines("Something to run on"), lines(f"{name}: from nothing")
    assert len(then.splitlines()) <= MOST_LINES
    shown, pattern = SHOWN[name]
    code, output = typed(first + then + shown, checkout)
    assert code == 0, output
    assert re.search(pattern, output, re.DOTALL), output


def test_eventbridge_s_lines_are_those_of_the_deployment_page() -> None:
    deploy = (ROOT / "docs/deploy.md").read_text()
    assert len(lines("EventBridge").splitlines()) <= MOST_LINES
    for line in lines("EventBridge").splitlines():
        assert f"    {line}\n" in deploy, line
