"""What queries and their answers have in common."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymysql.constants import ER

from ..errors import WarehouseError
from .session import Session


def error_code(error: WarehouseError) -> int:
    """The server's number of an error, 0 where it was not the server's."""
    cause = error.__cause__
    return cause.args[0] if cause and cause.args and isinstance(cause.args[0], int) else 0


def query_if_there(session: Session, statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a query; none when its table is not there. Raises WarehouseError."""
    try:
        return session.query(statement, values or ())
    except WarehouseError as error:
        if error_code(error) == ER.NO_SUCH_TABLE:
            return []
        raise


def text_of(value: Any) -> str:
    """A text that some servers send as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def naive(instant: datetime) -> datetime:
    """A time as DATETIME columns take it: UTC, without saying so."""
    return instant.astimezone(UTC).replace(tzinfo=None)
