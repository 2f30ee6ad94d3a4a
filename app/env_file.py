"""Files of settings: read for `--env-file`, and the one to fill in: `python -m app.env_file > .env.example`."""

from collections.abc import Iterable
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic import SecretStr

from .settings import Settings

_HEAD = """\
# Settings of spacex-pipeline. Copy this file to .env, fill in what is empty, and see whether all is well:
#   spacex-pipeline --env-file .env doctor
# One NAME=value a line; variables that are set already win. Leave quotes out: docker run --env-file takes them for a
# part of the value. Made by `python -m app.env_file`; a test compares the two.
"""
_AWS = """\
# AWS, as boto3 reads it. On AWS a role brings the keys; elsewhere a profile does, or AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY.
AWS_DEFAULT_REGION=
#AWS_PROFILE=
#AWS_ENDPOINT_URL=
"""


def read(files: Iterable[Path]) -> tuple[dict[str, str], list[str]]:
    """The variables of files, the last one winning, and what is wrong with the files, without a value.

    Quotes, comments, the line ends of Windows and a byte order mark do no harm.
    """
    found: dict[str, str] = {}
    faults: list[str] = []
    for file in files:
        try:
            with file.open(encoding="utf-8-sig") as lines:  # takes the byte order mark away
                bindings = list(parse_stream(lines))
        except UnicodeError:
            faults.append(f"{file} is not UTF-8")
            continue
        except OSError as error:
            faults.append(f"{file} can't be read: {error.strerror}")
            continue
        for binding in bindings:
            line = f"{file}, line {binding.original.line}:"
            if binding.error or (binding.key is not None and binding.value is None):
                faults.append(f"{line} not of the form NAME=value")
            elif binding.key is not None and binding.value:
                if "\0" in binding.key + binding.value:
                    faults.append(f"{line} a NUL character")
                else:
                    found[binding.key] = binding.value
    return found, faults


def example() -> str:
    """A file to fill in: what is required stands open, what has a default is commented out with it."""
    lines = [_HEAD]
    for name, field in Settings.model_fields.items():
        default = None if isinstance(field.default, SecretStr) or field.is_required() else field.default
        text = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
        lines.append(f"# {field.description}\n{'' if field.is_required() else '#'}{name.upper()}={text}\n")
    return "\n".join([*lines, _AWS])


if __name__ == "__main__":
    print(example(), end="")  # noqa: T201  # a file for a person
