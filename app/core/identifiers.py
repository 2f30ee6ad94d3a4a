"""Names in a database: of tables and columns inside SQL text, and of the run lock."""

import hashlib

_LOCK_NAME_CHARS = 64


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return "`" + name.replace("`", "``") + "`"


def lock_name(database: str) -> str:
    """The run lock of one database; locks are the server's, and their names at most 64 characters."""
    name = f"spacex_pipeline.{database}"
    return name if len(name) <= _LOCK_NAME_CHARS else f"spacex_pipeline.{hashlib.sha256(database.encode()).hexdigest()[:32]}"
