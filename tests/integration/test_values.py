"""Values that stores are known to alter: both must hold them exactly, and MySQL's own checksum must be ours."""

import math
import random
import socket
import struct
import threading
from typing import Any, Self

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.program import Program
from tests.sample_api import SampleApi
from tests.strategies import launches

REALS = [
    *(0.0, 1.0, -1.0, 0.1, 1 / 3, 1e14, 1e15, 123456789012345.6, 1e16, 1e17, 1e22, 1e300, 1.7976931348623157e308),
    *(1e-4, 1e-5, 1.5e-10, 1e-14, 1e-15, 1e-16, 5e-324, 2.2250738585072014e-308, 0.30000000000000004, 1312988.55, -120.5931438),
]


def test_floats_of_every_size_have_the_same_text_in_mysql(program: Program, api: SampleApi) -> None:
    rng = random.Random(7)
    reals = [*REALS, *(struct.unpack("d", rng.randbytes(8))[0] for _ in range(3000))]
    reals = [value for value in reals if math.isfinite(value)]
    failures = [{"time": None, "altitude": value, "reason": None} for value in reals]
    api.set("launches", [{"id": "a", "date_utc": "2020-01-01T00:00:00Z", "failures": failures}])
    program.run()
    stored = [row["altitude_km"] for row in program.in_mysql("launch_failures")]
    assert stored == reals
    program.assert_equal(1)


def test_whatever_a_sound_record_holds_comes_through(program: Program, api: SampleApi) -> None:
    records: dict[str, Any] = {}

    @settings(max_examples=150, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.lists(launches(), max_size=8))
    def collect(some: list[Any]) -> None:
        records.update({record["id"]: record for record in some})

    collect()
    assert len(records) > 100
    api.set("launches", list(records.values()))
    result = program.run()
    assert result["rejected"] == 0
    found = {row["launch_id"]: row for row in program.in_mysql("launches")}
    assert {i: (row["name"], row["details"], row["window_s"]) for i, row in found.items()} == {
        i: (record["name"], record["details"], record["window"]) for i, record in records.items()
    }
    program.assert_equal(len(records))


def test_h11_a_lost_answer_to_commit_is_looked_up_and_not_done_again(program: Program, api: SampleApi) -> None:
    with CommitSwallower(program.login.host, program.login.port) as proxy:
        result = program.run(MYSQL_PORT=str(proxy.port))
    assert proxy.swallowed == 1
    assert result["state"] == "published"
    assert [row[0] for row in program.login.query("SELECT state FROM pipeline_runs")] == ["published"]
    program.assert_equal(205)


class CommitSwallower:
    """A proxy in front of MySQL that lets the first COMMIT through and cuts the connection instead of answering.

    It has to read what passes, so it tells clients that the server has no TLS.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.swallowed = 0
        self._sockets = [self._listener]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            cut = threading.Event()
            threading.Thread(target=self._pump, args=(client, server, cut, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, cut, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, cut: threading.Event, watch: bool) -> None:
        greeted = watch
        try:
            while data := source.recv(1 << 16):
                if not greeted:
                    data, greeted = _without_tls(data), True
                if watch and not self.swallowed and data[4:] == b"\x03COMMIT":
                    self.swallowed += 1
                    cut.set()
                if not watch and cut.is_set():  # the server has answered: it is done, and nobody is told
                    break
                target.sendall(data)
        except OSError:
            pass
        for side in (source, target):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _without_tls(greeting: bytes) -> bytes:
    """A server's first packet (protocol 10) with the capability CLIENT_SSL, 0x0800, taken out."""
    capabilities = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1  # after the version: thread id, salt, filler
    changed = bytearray(greeting)
    changed[capabilities + 1] &= ~0x08
    return bytes(changed)
