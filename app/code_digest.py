"""Which code made rows of records: rows may be taken over only where the same code would make the same of them."""

import functools
import hashlib
import platform
from pathlib import Path

import msgspec
import pyarrow as pa
import pydantic
import pydantic_core

_FOLDERS = ("core", "sources")


@functools.cache
def code_digest() -> str:
    """The digest of all files that turn records into rows, and of the versions of what they rest on."""
    app = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for folder in _FOLDERS for path in (app / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(app).as_posix()}\0".encode() + path.read_bytes())
    for library in (msgspec, pa, pydantic, pydantic_core):
        digest.update(f"{library.__name__} {library.__version__}\n".encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()
