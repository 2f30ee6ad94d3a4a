"""Checksums that the server computes over a second connection, while the first one goes on."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..core.checksum.digest import Checksum
from ..core.model import PartitionKey, Run
from ..core.schema import TABLES
from ..errors import WarehouseError
from ..settings import Settings
from .rows import checksums
from .session import Session

Checksums = dict[PartitionKey, Checksum]


class SecondConnection:
    """A connection beside the one that holds the lock, opened when it is first needed; what is asked of it is done in turn.

    A user may have one connection only, and a connection may be lost: whoever asks must be able to do without.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._thread = ThreadPoolExecutor(1)
        self._closing = False

    def committed(self) -> Future[Checksums]:
        """Rows and digest of every partition as committed; the result may raise WarehouseError."""
        return self._thread.submit(self._committed)

    def merged(self, run: Run, table: str, years: set[int]) -> Future[Checksums]:
        """Rows and digest of years of a table as an open merge left them, uncommitted; nothing where that can't be seen."""
        return self._thread.submit(self._merged, run, table, years)

    def close(self) -> None:
        """Leave as soon as what is being computed is there; nobody waits for it."""
        self._closing = True
        self._thread.submit(self._leave)  # by the thread that may be reading from it: closing it here would wait for that
        self._thread.shutdown(wait=False)

    def _leave(self) -> None:
        if self._session:
            self._session.close()

    def _committed(self) -> Checksums:
        if self._session is None or not self._session.is_open:
            self._session = Session(self._settings, timeout_s=self._settings.run_timeout_s)
        self._session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return checksums(self._session.query, dict.fromkeys(TABLES))

    def _merged(self, run: Run, table: str, years: set[int]) -> Checksums:
        session = self._session
        if session is None or not session.is_open or self._closing:
            return {}

        def seen(statement: str) -> list[tuple[Any, ...]]:
            # Only where the merge is under way is the run's own row like this: not on a replica that a proxy chose for us.
            sees = "EXISTS (SELECT 1 FROM `pipeline_runs` WHERE `run_id` = %s AND `state` = 'merged')"
            rows = session.query(f"SELECT c.*, {sees} FROM ({statement}) AS c", [run.id])
            return [row[:-1] for row in rows if row[-1]]

        try:
            session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
            return checksums(seen, {table: years})
        except WarehouseError:
            session.close()
            return {}
