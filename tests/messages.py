"""Every message of the program that a person may search for, as it stands in the code: `…` is where values go."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app import errors
from app.lake import hints as s3
from app.mysql import hints as mysql

APP = Path(__file__).parents[1] / "app"
_LEAST_WORDS = 2  # of a message that says something by itself
_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)} | {"UsageError"}
_ERRORS |= {"_TransientError", "_OverBudget", "_TryAgain"}
_PLACE = {"warn": 0, "_warn": 0, "warn_if": 1, **dict.fromkeys(_ERRORS, 0)}


def messages() -> set[str]:
    """Of errors, warnings and refused command lines."""
    return {text for file in APP.rglob("*.py") for text in _of_calls(ast.parse(file.read_text())) if _says_something(text)}


def hints() -> set[str]:
    """What is said of answers of S3 and of MySQL."""
    return {*s3._BY_CODE.values(), *s3._BY_TYPE.values(), *mysql._HINTS.values()}


def checks() -> set[str]:
    """The names of what the doctor looks at."""
    calls = [node for file in APP.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    named = {(_name(call.func), _template(call.args[0])) for call in calls if call.args}
    prefix = {"Check": "", "_of": "", "Requirement": "MySQL "}
    return {prefix[kind] + name for kind, name in named if kind in prefix and "…" not in name and name != "source"}


def _of_calls(tree: ast.AST) -> Iterator[str]:
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef):
            named = {
                target.id: node.value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
            for node in ast.walk(scope):
                if isinstance(node, ast.Call) and (place := _PLACE.get(_name(node.func))) is not None and len(node.args) > place:
                    text = node.args[place]
                    yield _template(named.get(text.id, text) if isinstance(text, ast.Name) else text)


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _template(text: ast.expr) -> str:
    """The text with an ellipsis for each value."""
    match text:
        case ast.Constant(value=str(found)):
            return found
        case ast.JoinedStr(values=parts):
            return re.sub("…+", "…", "".join(map(_template, parts)))
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return re.sub("…+", "…", _template(left) + _template(right))
        case ast.IfExp(body=body):
            return _template(body)
    return "…"


def _says_something(text: str) -> bool:
    return len(re.findall(r"[a-z]{2,}", text)) >= _LEAST_WORDS


def every_text() -> set[str]:
    """All texts of the program and of the local stack, for messages that are made of several."""
    files = [*APP.rglob("*.py"), *(APP.parent / "tests").glob("local/*.py"), *(APP.parent / "tests").glob("sample_api/*.py")]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return {_template(node) for node in nodes if isinstance(node, ast.Constant | ast.JoinedStr)}
