"""Names of tables and columns inside SQL text."""


def quoted(name: str) -> str:
    """An identifier, quoted."""
    return "`" + name.replace("`", "``") + "`"
