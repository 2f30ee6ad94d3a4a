"""What is written down is what the code does."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from app import __version__, errors
from app.cli import cli, parse
from app.contract import contract, views
from app.core.fields import parse_utc
from app.request import Request
from app.schemas import schemas
from app.settings import Settings

ROOT = Path(__file__).parents[2]
MOST_LINES = 66  # of the README


def test_the_data_contract_is_the_schema() -> None:
    """`python -m app.contract > docs/data-contract.md` mends it."""
    assert (ROOT / "docs/data-contract.md").read_text() == contract()


def test_the_views_for_other_systems_are_their_definitions() -> None:
    """`python -m app.contract views` prints what belongs between the marks."""
    part = (ROOT / "docs/querying.md").read_text().split("<!-- python -m app.contract views -->")[1]
    assert part.split("<!-- end of views -->")[0].strip() == views().strip()


def test_the_schemas_are_those_of_what_commands_print() -> None:
    """`python -m app.schemas docs/schemas` mends them."""
    found = {path.stem: json.loads(path.read_text()) for path in (ROOT / "docs/schemas").iterdir()}
    assert found == schemas()


def test_every_setting_is_in_their_table_and_none_else() -> None:
    table = (ROOT / "docs/settings.md").read_text()
    named = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z0-9_]+)`", line.split("|")[1])
    }
    assert named == {name.upper() for name in Settings.model_fields}


def test_every_exit_code_is_in_their_table() -> None:
    table = (ROOT / "docs/commands.md").read_text().split("## Exit codes")[1]
    named = {int(code) for code in re.findall(r"\| (\d+) \|", table)}
    codes = {c.exit_code for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PipelineError)}
    assert codes | {0} == named


def test_every_command_is_in_their_table() -> None:
    text = subprocess.run([sys.executable, "-m", "app", "--help"], capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^  ([\w-]+) ", text.split("Commands:")[1], re.MULTILINE)
    named = re.findall(r"`python -m app ([\w-]+)`", (ROOT / "docs/commands.md").read_text())
    assert sorted(named) == sorted(commands)


def test_every_command_s_help_ends_with_examples_that_it_takes() -> None:
    for path in ([], *([name] for name in cli.commands), ["runs", "show"], ["snapshot", "show"], ["snapshot", "urls"]):
        text = subprocess.run([sys.executable, "-m", "app", *path, "--help"], capture_output=True, text=True, check=True).stdout
        examples = re.findall(r"^    spacex-pipeline (.+?)(?:   .*| \| .*)?$", text.split("\n  Examples:\n")[1], re.MULTILINE)
        assert examples
        for example in examples:
            words = example.split()
            assert words[: len(path)] == path
            assert parse(words) == 0 if "--help" in words else isinstance(parse(words), Request), example


def test_the_runbook_has_a_section_for_every_alarm_and_exit_code() -> None:
    sections = set(re.findall(r"^### (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE))
    alarms = re.findall(r"^      ([a-z-]+) = \{$", (ROOT / "infra/terraform/alarms.tf").read_text(), re.MULTILINE)
    codes = {c.exit_code for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PipelineError)}
    assert len(alarms) > 5
    assert sections == {*alarms, "task-failed", *(f"Exit {code}" for code in codes)}


def test_commands_in_the_docs_are_commands() -> None:
    """Whatever stands in code and begins with a command of ours has options that it knows."""
    tried = 0
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for code in re.findall(r"`([^`\n]+)`|^    (.+)$", page.read_text(), re.MULTILINE):
            words = re.sub(r"^(python -m app|infra/task \w+) ", "", "".join(code).split("#")[0]).split()
            command = cli.commands.get(words[0]) if words else None
            options = [word for word in words[1:] if word.startswith("--")]
            if command and options:
                known = {option for parameter in command.params for option in parameter.opts}
                assert set(options) <= known, f"{page.name}: {' '.join(words)}"
                tried += 1
    assert tried >= 5


def test_what_proves_a_guarantee_is_there() -> None:
    named = re.findall(
        r"`((?:unit|property|integration|fault|e2e|infra)/\w+\.py)(?:::(\w+))?`", (ROOT / "docs/guarantees.md").read_text()
    )
    assert len(named) > 20
    for path, function in named:
        text = (ROOT / "tests" / path).read_text()
        assert not function or f"def {function}(" in text, f"{path}::{function}"


def test_the_readme_fits_a_screen_and_shows_what_it_is_about() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert {"docs/pictures/report.png", "docs/pictures/terminal.svg", "docs/index.md"} <= set(re.findall(r"\]\((.+?)\)", text))


def test_every_target_that_the_documents_name_is_one_of_make_s() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        named = re.findall(r"(?:`|^    |^\$ |&& )(?:[A-Z]+=\S+ )*make ([a-z][a-z0-9-]*)(?![\w/])", page.read_text(), re.MULTILINE)
        assert set(named) <= targets, page.name


def test_dates_are_read_as_their_page_says() -> None:
    page = (ROOT / "docs/dates.md").read_text()
    noon, midnight = datetime(2022, 12, 5, 11, 46, tzinfo=UTC), datetime(2022, 12, 5, tzinfo=UTC)
    sent = ("2022-12-05T06:46:00-05:00", "2022-12-05T11:46:00", "2022-12-05 11:46", "2022-12-05")
    assert [parse_utc(text) for text in sent] == [noon, noon, noon, midnight]
    assert all(f"`{text}`" in page for text in sent)


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("*.md"))
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (ROOT / "docs/decisions.md").read_text(), re.MULTILINE)
    for number, title, path in listed:
        assert (ROOT / "docs" / path).read_text().startswith(f"# {number}. {title}\n"), path
    assert [int(number) for number, _, _ in listed] == numbers
    assert numbers == list(range(1, len(numbers) + 1))


def test_decisions_have_their_number_and_a_date() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        assert re.match(rf"# {int(path.name[:4])}\. .+\n\nAccepted 20\d\d-\d\d-\d\d\b", path.read_text()), path.name


def test_the_changelog_dates_every_release() -> None:
    releases = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(20\d\d-\d\d-\d\d\)", release) for release in releases[1:])
    assert __version__ in releases[1]


def test_the_licence_is_named_where_it_is_looked_for() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert '\nlicense = "Apache-2.0"\nlicense-files = ["LICENSE"]\n' in (ROOT / "pyproject.toml").read_text()
    assert "[Apache License 2.0](LICENSE)" in (ROOT / "README.md").read_text()


def test_hooks_before_a_commit_are_the_linters_of_make_lint() -> None:
    run = re.findall(r"-m (ruff \w+|mypy)", (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0])
    hooks = re.findall(r"-m (ruff \w+|mypy)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert sorted(hooks) == sorted(run)


def test_the_version_is_one() -> None:
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f'image.version="{__version__}"' in (ROOT / "Dockerfile").read_text()
