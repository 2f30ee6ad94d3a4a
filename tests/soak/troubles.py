"""What disturbs a run, and the exit codes that it explains."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from tests.fault.stopped import Stop, run_stopped
from tests.fault.world import World
from tests.sample_api import Fault
from tests.services.clock import shifted
from tests.services.proxy import Proxy, Trouble
from tests.services.server import HOST

EFFECTS = 60  # about as many as a run has
SOON_S = 0.8  # a run takes about as long
_BAD_GATEWAY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_KILLED = -9


@dataclass(frozen=True)
class Disturbance:
    """A way to run the program once or twice; gives the codes."""

    run: Callable[[World, Random], list[int]]
    explains: frozenset[int]
    weight: int = 1

    @property
    def name(self) -> str:
        return self.run.__name__


# --- ended --------------------------------------------------------------------------------------------------------------


def calm(world: World, random: Random) -> list[int]:
    return [world.run_forked()]


def killed_at_effect(world: World, random: Random) -> list[int]:
    return [world.run_forked(Stop(f"#{random.randint(1, EFFECTS)}", random.choice(("before", "after")), "kill"))]


def killed_at_moment(world: World, random: Random) -> list[int]:
    return [world.run_forked(Stop("", "before", "kill", random.uniform(0.02, SOON_S)))]


def terminated_at_effect(world: World, random: Random) -> list[int]:
    return [world.run_forked(Stop(f"#{random.randint(1, EFFECTS)}", random.choice(("before", "after")), "term"))]


def terminated_at_moment(world: World, random: Random) -> list[int]:
    return [world.run_forked(Stop("", "before", "term", random.uniform(0.1, SOON_S)))]


# --- lossy connections --------------------------------------------------------------------------------------------------


def lossy_s3(world: World, random: Random) -> list[int]:
    with _before_s3(world) as proxy:
        _harm(proxy, random, (b"^PUT", b"^GET", b"^HEAD", b"^DELETE", b"^PUT .*launch", b"^PUT .*manifests"), _BAD_GATEWAY)
        return [world.run_forked(AWS_ENDPOINT_URL=proxy.url)]


def lossy_mysql(world: World, random: Random) -> list[int]:
    with _before_mysql(world) as proxy:
        _harm(proxy, random, (b"COMMIT", b"LOAD DATA", b"INSERT", b"UPDATE", b"SELECT", b"DELETE", b"CREATE", b"BIT_XOR"), b"")
        return [world.run_forked(MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port))]


def lossy_both(world: World, random: Random) -> list[int]:
    with _before_s3(world) as lake, _before_mysql(world) as warehouse:
        lake.lose(random.choice((b"^PUT", b"^GET", b"^DELETE")), random.randint(1, 3))
        warehouse.lose(random.choice((b"COMMIT", b"INSERT", b"SELECT")), 1)
        return [world.run_forked(AWS_ENDPOINT_URL=lake.url, MYSQL_HOST=HOST, MYSQL_PORT=str(warehouse.port))]


def slow(world: World, random: Random) -> list[int]:
    """Every byte of MySQL's answers comes alone."""
    with _before_mysql(world) as proxy:
        proxy.fail(Trouble(drip_s=0.00002))
        return [world.run_forked(MYSQL_HOST=HOST, MYSQL_PORT=str(proxy.port))]


def _harm(proxy: Proxy, random: Random, patterns: tuple[bytes, ...], answer: bytes) -> None:
    pattern, how, size = random.choice(patterns), random.choice(("lose", "reset", "cut", "answer")), random.randint(1, 600)
    if how == "answer" and answer:
        proxy.answer(pattern, answer, random.randint(1, 4))
    elif how == "reset":
        proxy.fail(Trouble(pattern, reset_after=size))
    elif how == "cut":
        proxy.fail(Trouble(pattern, cut_after=size))
    else:
        proxy.lose(pattern, random.randint(1, 4))


@contextmanager
def _before_s3(world: World) -> Iterator[Proxy]:
    with Proxy(HOST, int(world.aws.url.rpartition(":")[2])) as proxy:
        yield proxy


@contextmanager
def _before_mysql(world: World) -> Iterator[Proxy]:
    with Proxy(world.login.host, world.login.port, mysql=True) as proxy:
        yield proxy


def sessions_ended(world: World, random: Random) -> list[int]:
    """The server ends all the program's connections at some moment."""
    after_s = random.uniform(0.05, SOON_S)

    def end() -> None:
        time.sleep(after_s)
        with world.login.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()")
            for (number,) in cursor.fetchall():
                cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s", (number,))
                if cursor.fetchall() == ((1,),):
                    _kill(cursor.execute, number)

    return _meanwhile(world, end)


def _kill(execute: Callable[..., object], number: int) -> None:
    import pymysql

    try:
        execute("KILL %s", (number,))
    except pymysql.err.OperationalError as error:
        if error.args[0] != 1094:  # no such thread: gone in the meantime
            raise


def _meanwhile(world: World, act: Callable[[], None]) -> list[int]:
    other = threading.Thread(target=act)
    other.start()
    try:
        return [world.run_forked()]
    finally:
        other.join()


# --- the source, the clock, another run -----------------------------------------------------------------------------------

_ENDPOINTS = ("launches", "rockets", "payloads", "crew", "cores", "*")


def source(world: World, random: Random) -> list[int]:
    endpoint = random.choice(_ENDPOINTS)
    short = random.randint(1, 2)
    fault = random.choice(
        (
            Fault(status=503, first=short),
            Fault(status=404),
            Fault(cut=True, first=short),
            Fault(cut=True, chunked=True, first=1),
            Fault(reset=True, first=short),
            Fault(body="html"),
            Fault(body="object"),
            Fault(hang_s=0.3, first=1),
        )
    )
    world.api.fault(endpoint, fault)
    try:
        return [world.run_forked()]
    finally:
        world.api.fault(endpoint, None)


def empty(world: World, random: Random) -> list[int]:
    """The list of launches comes empty."""
    world.api.fault("launches", Fault(body="empty_list"))
    try:
        return [world.run_forked()]
    finally:
        world.api.fault("launches", None)


def clock(world: World, random: Random) -> list[int]:
    """The clock is off by days."""
    off = f"{random.choice('+-')}{random.randint(1, 20)}d"
    process = world.start("run", **shifted(off))
    out, err = process.communicate(timeout=120)
    (world.folder / "output").write_text(out + err)
    return [process.returncode]


def two(world: World, random: Random) -> list[int]:
    """Two at once, of which one may be killed."""
    stop = random.choice((None, None, Stop(f"#{random.randint(1, EFFECTS)}", "after", "kill")))
    late_s = random.uniform(0, 0.4)

    def run(side: str) -> int:
        folder = world.folder / side
        folder.mkdir(exist_ok=True)
        if side == "b":
            time.sleep(late_s)
        return run_stopped(world.environment, ["run"], folder / "output", folder / "effects", stop if side == "a" else None)

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(run, "ab"))
    outputs = [f"run {side}:\n{(world.folder / side / 'output').read_text()}" for side in "ab"]
    (world.folder / "output").write_text("\n".join(outputs))
    return codes


CALM = Disturbance(calm, frozenset({0}), 8)
DISTURBANCES = [
    CALM,
    Disturbance(killed_at_effect, frozenset({0, _KILLED}), 6),
    Disturbance(killed_at_moment, frozenset({0, _KILLED}), 3),
    Disturbance(terminated_at_effect, frozenset({0, 143}), 2),
    Disturbance(terminated_at_moment, frozenset({0, 143}), 1),
    Disturbance(lossy_s3, frozenset({0, 5}), 2),
    Disturbance(lossy_mysql, frozenset({0, 6}), 3),
    Disturbance(lossy_both, frozenset({0, 5, 6}), 1),
    Disturbance(slow, frozenset({0}), 1),
    Disturbance(sessions_ended, frozenset({0, 6}), 2),
    Disturbance(source, frozenset({0, 3}), 2),
    Disturbance(empty, frozenset({4}), 1),
    Disturbance(clock, frozenset({0}), 1),
    Disturbance(two, frozenset({0, 7, _KILLED}), 2),
]
