"""A job as `infra/spark` asks for it, on the cluster of this machine: what EMR Serverless makes of its package and properties."""

import json
import os
import platform
import subprocess
import sys
import tarfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.program import QUICK
from tests.spark.cluster import PYTHON, ROOT, Cluster

DRIVER_ENV = "spark.emr-serverless.driverEnv."


def infra_spark() -> ModuleType:
    """The script as a module."""
    sys.path.insert(0, str(ROOT / "infra"))  # as Python itself does for a script
    loader = SourceFileLoader("infra_spark", str(ROOT / "infra/spark"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def make_package(authorities: Path, folder: Path) -> Path:
    """The package of this checkout for this machine's processors and the cluster's Python."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.run([PYTHON, "-c", ask], capture_output=True, check=True, text=True).stdout.strip()
    given = {
        "TO": folder / "environment.tar.gz",
        "PYTHON_VERSION": version,
        "ARCHITECTURE": "X86_64" if platform.machine() == "x86_64" else "ARM64",
        "RDS_CA_BUNDLE": f"file://{authorities}",
    }
    words = [f"{name}={value}" for name, value in given.items()]
    trusting = {name: value for name, value in os.environ.items() if name not in QUICK} | {"UV_NATIVE_TLS": "1"}
    subprocess.run(["make", "--silent", "spark-package", *words], cwd=ROOT, env=trusting, check=True)
    return folder / "environment.tar.gz"


def start(
    cluster: Cluster, package: Path, settings: dict[str, str], options: tuple[str, ...], secret: str, folder: Path
) -> "subprocess.Popen[str]":
    """Start the driver with what EMR would give it, on a Python that has no package of its own."""
    bare = folder / "bare"
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", bare], check=True)
    with tarfile.open(package) as archive:
        archive.extractall(folder / "environment", filter="data")
    spark: dict[str, Any] = {
        **dict.fromkeys(("application", "role", "log_group", "bucket"), "x"),
        "region": "us-east-1",
        "workers": 2,
        "secret": secret,
        "environment": settings,
    }
    module = infra_spark()
    asked = module.request(spark, "spark/x/", list(options))
    ((configuration),) = asked["configurationOverrides"]["applicationConfiguration"]
    python = f"python{module.PYTHON}"
    properties = {
        name: str(bare / "bin/python") if value == python else value
        for name, value in configuration["properties"].items()
        if name not in module.SIZES  # which are larger than this machine's workers
    } | {"spark.archives": f"{package}#{module.HERE}", "spark.executor.memory": "900m"}
    environment = {name.removeprefix(DRIVER_ENV): value for name, value in properties.items() if name.startswith(DRIVER_ENV)}
    confs = [f"--conf={name}={value}" for name, value in properties.items() if not name.startswith(DRIVER_ENV)]
    return subprocess.Popen(
        [
            *(cluster.home / "bin/spark-submit", "--master", cluster.url, "--conf=spark.ui.enabled=false"),
            *("--conf=spark.driver.host=127.0.0.1", *confs, ROOT / "integrations/spark/replay.py"),
            *asked["jobDriver"]["sparkSubmit"]["entryPointArguments"],
        ],
        cwd=folder,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ},
            **environment,
            "MYSQL_SSL_CA": "",  # the server of these tests has no certificate
            "SPARK_HOME": str(cluster.home),
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def login(user: str, password: str) -> str:
    """What the secret of Terraform holds."""
    return json.dumps({"username": user, "password": password})
