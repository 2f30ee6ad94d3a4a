"""The views in the database: made where they are missing or are not those of this release.

No value depends on them: where they can't be made, a run says so and goes on.
"""

import hashlib

from pymysql.constants import ER

from ..core.identifiers import quoted
from ..core.views import MYSQL, VIEWS, View
from ..errors import WarehouseError
from .query import error_code, text_of
from .session import Session, checked
from .sql import RUNS_MEANING, RUNS_TABLE, comment

_DIGEST_HEX = 12
_DONE_WITHOUT = {
    *(ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.SPECIFIC_ACCESS_DENIED_ERROR),  # a user of an older init-db
    *(ER.TABLE_EXISTS_ERROR, ER.WRONG_OBJECT),  # somebody else's table has the name
    ER.LOCK_WAIT_TIMEOUT,  # a long query reads the view that would be replaced
}


def select(view: View) -> str:
    """A view's SELECT."""
    return view.select(MYSQL)


def _mark() -> str:
    """The comment of `pipeline_runs`: it names the definitions that were made, since servers keep none of them as it was."""
    digest = hashlib.sha256("\n".join(map(select, VIEWS.values())).encode()).hexdigest()[:_DIGEST_HEX]
    return f"{RUNS_MEANING}; views {digest}"


@checked
def pending(session: Session) -> list[str]:
    """The statements that it takes to have every view as this release defines it. Raises WarehouseError."""
    names = [RUNS_TABLE, *VIEWS]
    listed = ", ".join(["%s"] * len(names))
    there = {
        text_of(name): (kind, text_of(said))
        for name, kind, said in session.query(
            "SELECT TABLE_NAME, TABLE_TYPE, TABLE_COMMENT FROM information_schema.TABLES "
            f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ({listed})",
            names,
        )
    }
    is_made = RUNS_TABLE in there and there[RUNS_TABLE][1] == _mark()
    missing = [name for name in VIEWS if name not in there]
    stale = [] if is_made else [name for name in VIEWS if name in there]
    made = [_create(name) for name in missing] + [_create(name, replace=True) for name in stale]
    return made if is_made else [*made, f"ALTER TABLE {quoted(RUNS_TABLE)} {comment(_mark())}"]


def make(session: Session) -> list[str]:
    """Make the views that are missing or old; why some could not be made. Raises WarehouseError for other reasons."""
    failed: list[str] = []
    for statement in pending(session):
        if failed and not statement.startswith("CREATE"):
            break  # not to be taken for made
        try:
            session.execute(statement)
        except WarehouseError as error:
            if error_code(error) not in _DONE_WITHOUT:
                raise
            failed.append(error.message)
    return failed


def _create(name: str, *, replace: bool = False) -> str:
    """CREATE VIEW for one view; it gives nobody a right to rows that he may not read without it."""
    verb = "CREATE OR REPLACE" if replace else "CREATE"
    return f"{verb} SQL SECURITY INVOKER VIEW {quoted(name)} AS {select(VIEWS[name])}"
