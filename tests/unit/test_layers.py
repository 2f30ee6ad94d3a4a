"""The walls of the house: which folder may import which."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
# What each folder may import of the others; anything may import errors and settings, but the core.
ALLOWED = {
    "core": set(),
    "telemetry": {"core"},
    "lake": {"core"},
    "mysql": {"core"},
    "sources": {"core"},
    "pipeline": {"core", "telemetry", "lake", "mysql"},
    "report": {"core"},
    "commands": {"core", "telemetry", "lake", "mysql", "sources", "pipeline", "report"},
}
PURE_LIBRARIES = {
    *(
        "collections",
        "concurrent",
        "contextlib",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "json",
    ),
    *("math", "operator", "pathlib", "re", "typing", "typing_extensions"),
    *("msgspec", "pyarrow", "pydantic", "pydantic_core", "pandas"),
}


def _imports(file: Path) -> set[str]:
    """What a file imports, as absolute module names: app.core.model, json."""
    package = ["app", *file.relative_to(APP).parent.parts]
    found = set()
    for line in re.findall(r"^\s*(?:from|import) (\S+)", file.read_text(), re.MULTILINE):
        dots = len(line) - len(line.lstrip("."))
        name = line.lstrip(".")
        found.add(".".join([*package[: len(package) - dots + 1], *([name] if name else [])]) if dots else name)
    return found


def _imported_folders(folder: str) -> dict[Path, set[str]]:
    """The other folders that each file of a folder imports."""
    files = (APP / folder).rglob("*.py")
    return {file: {n.split(".")[1] for n in _imports(file) if n.startswith("app.")} & (set(ALLOWED) - {folder}) for file in files}


def test_folders_import_only_what_lies_further_inside() -> None:
    assert {path.parent.name for path in APP.glob("*/__init__.py")} == set(ALLOWED)
    for folder, allowed in ALLOWED.items():
        for file, others in _imported_folders(folder).items():
            assert others <= allowed, file


def test_the_picture_in_the_documents_shows_the_imports_that_there_are() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    drawn = re.findall(r"^  (\w+) --> (\w+)$", page.split("```mermaid")[1].split("```")[0], re.MULTILINE)
    there = {(folder, other) for folder in ALLOWED for others in _imported_folders(folder).values() for other in others}
    assert sorted(drawn) == sorted(there)


def test_the_table_in_the_documents_has_every_folder_and_file() -> None:
    table = (ROOT / "docs/architecture.md").read_text().split("## Folders")[1].split("## ")[0]
    named = [name for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(.+?)`", cell)]
    there = {f"{path.name}/" if path.is_dir() else path.name for path in APP.iterdir()} - {"__init__.py", "__pycache__/"}
    assert sorted(named) == sorted(there)


def test_files_named_in_the_documents_are_there() -> None:
    named = re.findall(r"`((?:core|lake|mysql|sources|pipeline|telemetry|report|commands)/[\w./]*)`", "".join(
        page.read_text() for page in (ROOT / "docs").rglob("*.md")
    ))  # fmt: skip
    assert len(named) > 15
    assert [name for name in named if not (APP / name).exists()] == []


def test_the_core_touches_nothing() -> None:
    """No client, clock, file or environment: it imports itself, and libraries that compute."""
    for file in (APP / "core").rglob("*.py"):
        for name in _imports(file):
            assert name.startswith("app.core") or name.split(".")[0] in PURE_LIBRARIES, (file, name)
        assert not re.search(r"\bopen\(|datetime\.now|\.read_text|\.write_", file.read_text()), file


def test_keys_and_run_ids_are_written_and_parsed_in_one_place() -> None:
    """And that place computes only, as the core does."""
    layout = APP / "lake" / "layout.py"
    for name in _imports(layout):
        assert name.startswith("app.core") or name in PURE_LIBRARIES, name
    for file in set(APP.rglob("*.py")) - {layout}:
        assert not re.search(r"manifests/run|quarantine/run|raw/source|year=\{|%Y%m%dT", file.read_text()), file


def test_inside_the_package_imports_are_relative() -> None:
    """It is `app` in a checkout and `spacex_pipeline` where it is installed."""
    for file in APP.rglob("*.py"):
        assert not re.search(r"^\s*(?:from|import) (?:app|spacex_pipeline)\b", file.read_text(), re.MULTILINE), file


def test_every_folder_is_packaged() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {"/".join(("spacex_pipeline", *file.relative_to(APP).parent.parts)) for file in APP.rglob("__init__.py")}
    assert {name.replace(".", "/") for name in packages} == there


def test_only_settings_read_the_environment() -> None:
    readers = [file.name for file in APP.rglob("*.py") if "environ" in file.read_text().replace("environment", "")]
    assert readers == ["settings.py"]
