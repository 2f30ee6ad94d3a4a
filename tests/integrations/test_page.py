"""docs/schedulers.md: its lines lead to a first scheduled run. They are typed as they stand, in a copy of the checkout."""

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.environments import ROOT
from tests.typed import copied, end, environment

PAGE = (ROOT / "docs/schedulers.md").read_text()
MOST_LINES = 10
SHOWN = {  # asked at the end, and what is to be found in the output
    "Prefect": ("prefect deployment schedule ls spacex-pipeline/hourly", r'"Unchanged".*cron: 7 \* \* \* \*'),
    "Airflow": ("airflow dags list-runs spacex_pipeline_worker", r"scheduled__\S+ +\| success"),
}
TIMEOUT_S = 400


def lines(section: str) -> str:
    """The first block of code under a heading."""
    found = re.search(rf"^## {section}.*?\n\n((?:    [^\n]*\n)+)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, section
    return re.sub(r"^    ", "", found[1], flags=re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copied(tmp_path / "checkout")


def typed(text: str, checkout: Path) -> tuple[int, str]:
    """A shell in which the lines are typed one after another; everything that it started is ended with it."""
    log = checkout.parent / "typed.log"
    with log.open("w") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        options: dict[str, Any] = {"cwd": checkout, "env": environment(), **streams}
        shell = subprocess.Popen(["bash", "-euxc", text], start_new_session=True, **options)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                shell.wait(TIMEOUT_S)
        finally:
            subprocess.run(["make", "down"], check=False, **options)
            end(shell.pid, checkout)
            shell.wait()
    logs = [log, *(checkout / "build").glob("*.log")]
    return shell.returncode, "\n".join(path.read_text(errors="replace")[-6000:] for path in logs)


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
