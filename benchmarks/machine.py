"""On what it was measured: the machine, the services and the versions of everything."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.services import Login

_ASK = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


def about(admin: Login, peers_python: Path) -> dict[str, str]:
    """Each fact by its name."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "revision": _output("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "CPU": f"{_found('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_found('/proc/meminfo', 'MemTotal').split()[0]) * 1024 / 1e9:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "MySQL": _mysql(admin),
        "moto": importlib.metadata.version("moto"),
        "pipeline's packages": _listed(_of_pipeline()),
        "peers' packages": _listed(_of_peers(peers_python)),
    }


def about_before(checkout: Path | None) -> dict[str, str]:
    """Which earlier revision was measured beside this one, if any."""
    if checkout is None:
        return {}
    return {"revision before": _output("git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12")}


def _mysql(admin: Login) -> str:
    row = admin.query(
        "SELECT VERSION(), @@innodb_buffer_pool_size >> 20, @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin"
    )
    version, pool, flush, sync, binlog = row[0]
    return f"{version}, buffer pool {pool} MiB, flush at commit {flush}, binary log {f'sync {sync}' if binlog else 'off'}"


def _of_pipeline() -> dict[str, str]:
    needed = [text for text in importlib.metadata.requires("spacex-pipeline") or [] if "extra ==" not in text]
    wanted = [re.split(r"[^\w.-]", text)[0] for text in needed]
    return {name: importlib.metadata.version(name) for name in wanted}


def _of_peers(python: Path) -> dict[str, str]:
    wanted = re.findall(r"^[\w.-]+", Path(__file__).with_name("requirements.in").read_text(), re.MULTILINE)
    return dict(json.loads(_output(str(python), "-c", _ASK, *wanted, "pyarrow")))


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))


def _found(file: str, name: str) -> str:
    line = re.search(rf"^{name}\s*:\s*(.+)$", Path(file).read_text(), re.MULTILINE)
    return line[1] if line else "unknown"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
