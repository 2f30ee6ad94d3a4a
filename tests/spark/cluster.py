"""A standalone cluster of Spark on loopback: a master and workers of one core each, from the wheel of PySpark."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Self

from tests.services.process import Process
from tests.services.server import free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "build/spark/bin/python"
_STARTS_S = 120


class Cluster:
    """Started by `with`; what it leaves behind is in its folder."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        found = subprocess.run(
            [PYTHON, "-c", "import pyspark; print(pyspark.__path__[0])"], capture_output=True, check=True, text=True
        )
        self.home = Path(found.stdout.strip())
        self.workers: list[Process] = []
        self._count = workers

    def __enter__(self) -> Self:
        port, self._web = free_port(), free_port()
        self.url = f"spark://127.0.0.1:{port}"
        ports = ("--host", "127.0.0.1", "--port", str(port), "--webui-port", str(self._web))
        self._master = self._start("master", "org.apache.spark.deploy.master.Master", *ports)
        self.complete()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            end_session(worker)
        self._master.kill()

    def complete(self) -> None:
        """Start the workers that are missing, and wait until the master has all."""
        self.workers = [worker for worker in self.workers if worker.running]
        for _ in range(self._count - len(self.workers)):
            where = ("--host", "127.0.0.1", "--webui-port", str(free_port()), "-d", str(self._folder / "work"))
            self._wait(0)
            self.workers.append(
                self._start("worker", "org.apache.spark.deploy.worker.Worker", *where, "-c", "1", "-m", "1500m", self.url)
            )
        self._wait(self._count)

    def submit(self, *arguments: str, options: tuple[str, ...], environment: dict[str, str]) -> "subprocess.Popen[str]":
        """Start the driver, as a person does in a shell with the integration's environment; it leads a session."""
        return subprocess.Popen(
            [
                *("bash", "-euc", '. integrations/spark/environment; exec spark-submit "$@"', "spark-submit"),
                *("--master", self.url, "--conf", "spark.ui.enabled=false", "--conf", "spark.executor.memory=900m"),
                *("--conf", "spark.driver.host=127.0.0.1", *options, "integrations/spark/replay.py", *arguments),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def cpu_s(self) -> float:
        """Processor time of the workers and of all that they started and that has ended."""
        return sum(_cpu_s(worker.pid) for worker in self.workers)

    def _start(self, name: str, *command: str) -> Process:
        environment = {
            **os.environ,
            "SPARK_HOME": str(self.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_DAEMON_MEMORY": "256m",
            "PYSPARK_PYTHON": str(PYTHON),
        }
        log = self._folder / f"{name}.log"
        return Process.start([str(self.home / "bin/spark-class"), *command], log=log, environment=environment, cwd=None)

    def _wait(self, workers: int) -> None:
        end = time.monotonic() + _STARTS_S
        while self._alive() < workers:
            assert time.monotonic() < end, (self._folder / "worker.log").read_text()[-3000:]
            time.sleep(0.1)

    def _alive(self) -> int:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self._web}/json/", timeout=5) as answer:
                return sum(worker["state"] == "ALIVE" for worker in json.load(answer)["workers"])
        except OSError:
            return -1


def end_session(leader: Process) -> None:
    """SIGKILL a worker and all that it started: its executor, and Pythons that have left its process group."""
    for pid in sessions().get(leader.pid, []):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    leader.kill()


def sessions() -> dict[int, list[int]]:
    """The processes of each session."""
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            session = int(stat.read_text().rpartition(")")[2].split()[3])
        except OSError:
            continue
        found.setdefault(session, []).append(int(stat.parent.name))
    return found


def _cpu_s(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
