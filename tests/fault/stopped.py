"""The program in a process of its own that notes every effect it has, and stops at one of them when told to.

An effect is whatever is no reading: each call to S3 but Get, Head and List, each statement but SELECT, SHOW and SET. So a new
effect in the program is found by the test and can't be forgotten in it.
"""

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import botocore.client
import pymysql.connections

from tests import forked

_NOTHING = " WHERE FALSE"  # how rights are tried: such a statement changes no row
_READS = re.compile(r"SELECT|SHOW|SET |Get|Head|List")
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
_DATE = re.compile(r"date=\d{4}-\d\d-\d\d")
_ICEBERG_IDS = re.compile(
    r"(?<=metadata/)(snap-)?.*(?=-m\d+\.avro|\.avro|\.metadata\.json)|(?<=launch_year=\d{4}/).*(?=\.parquet)"
)
_NAME_CHARS = 60
_CHARS_THAT_NAME = 1000  # statements have up to a million


@dataclass(frozen=True)
class Stop:
    """Where a run ends: before or after the effect, by an exception, by SIGKILL, or by SIGTERM as soon as it can.

    The effect is named as the watch names it, or by how that begins and `*`, or `#12`: the twelfth, whatever it is. With
    `after_s` it is a signal after so many seconds, whatever the run does then.
    """

    effect: str
    when: Literal["before", "after"]
    how: Literal["exception", "kill", "term"]
    after_s: float | None = None

    def is_at(self, names: tuple[str, str]) -> bool:
        """Whether an effect with these names is the one that is meant."""
        return self.effect in names or (self.effect.endswith("*") and names[0].startswith(self.effect[:-1]))

    @property
    def signal(self) -> signal.Signals:
        """The signal that ends it so."""
        return signal.SIGKILL if self.how == "kill" else signal.SIGTERM


def run_stopped(environment: Mapping[str, str], arguments: list[str], output: Path, effects: Path, stop: Stop | None) -> int:
    """Run a command; its exit code, negative for a signal. What it did is in `effects`, what it printed in `output`."""
    effects.write_bytes(b"")
    output.write_bytes(b"")
    return forked.call(_watched, effects, stop, dict(environment), arguments, str(output))


def _watched(effects: Path, stop: Stop | None, environment: dict[str, str], arguments: list[str], output: str) -> None:
    _Watch(effects, stop).install()
    forked.main(environment, arguments, output, output)


class _Watch:
    """Stands between the program and its clients."""

    def __init__(self, effects: Path, stop: Stop | None) -> None:
        self._effects = os.open(effects, os.O_WRONLY | os.O_APPEND)
        self._stop = stop
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._statement = threading.local()

    def install(self) -> None:
        call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
        connection: Any = pymysql.connections.Connection
        query, command = connection.query, connection._execute_command
        watch = self

        def calling(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            return watch.at(f"{operation} {parameters.get('Key', '')}", lambda: call(client, operation, parameters))

        def querying(connection: Any, sql: Any, *more: Any) -> Any:
            return watch.at(_text(sql), lambda: query(connection, sql, *more))

        def controlling(name: str) -> Callable[[Any], Any]:
            plain = getattr(connection, name)
            return lambda connection: watch.at(name.upper(), lambda: plain(connection))

        def commanding(connection: Any, kind: int, sql: Any) -> Any:
            assert watch._statement.__dict__ or _READS.match(_text(sql)), f"{_text(sql)} goes past the watch"
            return command(connection, kind, sql)

        botocore.client.BaseClient._make_api_call = calling  # type: ignore[attr-defined]
        if self._stop and self._stop.after_s is not None:
            timer = threading.Timer(self._stop.after_s, os.kill, (os.getpid(), self._stop.signal))
            timer.daemon = True
            timer.start()
        connection.query, connection._execute_command = querying, commanding
        for name in ("begin", "commit", "rollback"):
            setattr(connection, name, controlling(name))

    def at(self, what: str, act: Callable[[], Any]) -> Any:
        """Do something, and note or stop it when it is an effect."""
        self._statement.inside = True
        try:
            if _READS.match(what) or what.endswith(_NOTHING):
                return act()
            names = self._named(what)
            self._end_if(names, "before")
            done = act()
            self._end_if(names, "after")
            return done
        finally:
            self._statement.__dict__.clear()

    def _named(self, what: str) -> tuple[str, str]:
        what = _RUN_ID.sub("RUN", " ".join(what[:_CHARS_THAT_NAME].split()))
        what = _ICEBERG_IDS.sub(r"\1ID", _DATE.sub("date=DAY", what))[:_NAME_CHARS]
        with self._lock:
            self._seen[what] += 1
            effect, place = f"{what} #{self._seen[what]}", f"#{self._seen.total()}"
        os.write(self._effects, f"{effect}\n".encode())
        return effect, place

    def _end_if(self, names: tuple[str, str], when: str) -> None:
        if self._stop and self._stop.is_at(names) and self._stop.when == when:
            if self._stop.how != "exception":
                os.kill(os.getpid(), self._stop.signal)
                return
            raise RuntimeError("stopped by the test")


def _text(sql: Any) -> str:
    return sql.decode("utf-8", "replace") if isinstance(sql, (bytes, bytearray)) else str(sql)
