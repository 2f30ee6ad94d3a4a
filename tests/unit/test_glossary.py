"""Words have one meaning each: names in the program are made of words that the glossary has, or that are plain."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
PLAIN = {
    "technologies": {"api", "cli", "db", "html", "http", "json", "mysql", "sql"},
    "sources by their names": {"launch", "library", "spacex"},
    "parts of any program": {"core", "errors", "format", "init", "main", "model", "models", "settings", "text"},
    "amounts": {"bytes", "files", "only", "rows", "seconds"},
    "reading": {"read"},
}
COUNTERS = {"counts", "counted", "proven"}  # the dictionaries that stages fill
# Words of our own that were replaced by the field's, and turns of phrase that nobody would use at work.
CLASSES = r"^class _?(Endpoint|ArchivedEndpoint|Content|Progress|Edges|Unfit|Held|Derived)\b"
MODULES = {"fork", "bodies", "derived", "edges", "figures", "markup", "words"}
PHRASES = (
    *(r"\btold\b", r"\bblotted\b", r"\bhurry\b", r"without a word", r"for the eye", r"\bnobody's\b", r"\bmakes? it so\b"),
    *(r"\bstrays\b", r"\btakes? up\b", r"\bat the rim\b", r"\bshall be told\b", r"\bin vain\b"),
)


def words(name: str) -> set[str]:
    """The words of a name: files_written is files and written."""
    return set(re.split(r"[_-]+", name.strip("_")))


def known() -> set[str]:
    """Every word of the glossary's terms, and the plain ones."""
    terms = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    return {word.lower() for term in terms for word in re.findall(r"\w+", term)} | set[str]().union(*PLAIN.values())


def modules() -> Iterator[str]:
    """Files and folders of the program."""
    for path in APP.rglob("*"):
        if (path.is_dir() and path.name != "__pycache__") or (path.suffix == ".py" and path.stem != "__init__"):
            yield path.stem


def nodes() -> Iterator[ast.AST]:
    for file in APP.rglob("*.py"):
        yield from ast.walk(ast.parse(file.read_text()))


def states() -> Iterator[str]:
    for node in nodes():
        if isinstance(node, ast.ClassDef) and node.name == "RunState":
            yield from (
                n.targets[0].id.lower() for n in node.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
            )


def stages() -> Iterator[str]:
    for node in nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr="stage"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def log_fields() -> Iterator[str]:
    """Fields of events, of the wide line, and the counts of stages."""
    for node in nodes():
        match node:
            case ast.Call(func=ast.Attribute(attr="event"), keywords=keywords):
                yield from (keyword.arg for keyword in keywords if keyword.arg)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"), keywords=keywords) if name in COUNTERS:
                yield from (keyword.arg for keyword in keywords if keyword.arg)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(key)))]) if (
                name in COUNTERS
            ):
                yield key
            case ast.FunctionDef(name="log_fields"):
                yield from (
                    key.value
                    for found in ast.walk(node)
                    if isinstance(found, ast.Dict)
                    for key in found.keys
                    if isinstance(key, ast.Constant)
                )


@pytest.mark.parametrize("names", [modules, states, stages, log_fields], ids=lambda names: names.__name__)
def test_names_are_made_of_words_that_the_glossary_has(names: Callable[[], Iterator[str]]) -> None:
    found = set(names())
    assert len(found) > 7
    assert {name: unknown for name in sorted(found) if (unknown := words(name) - known())} == {}


def test_the_glossary_has_each_term_once() -> None:
    terms = re.findall(r"^\| ([^|]+) \| ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    every = [form.strip() for term in terms if term not in ("term", "---") for form in term.split(",")]
    assert len(every) > 100
    assert sorted(every) == sorted(set(every))


def test_words_of_our_own_are_gone() -> None:
    assert MODULES.isdisjoint(modules())
    found = []
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for file in [*APP.rglob("*.py"), *APP.rglob("*.j2"), *pages]:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if re.search(CLASSES, line) or any(re.search(phrase, line, re.IGNORECASE) for phrase in PHRASES):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []
