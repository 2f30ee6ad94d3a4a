"""The database server's program: found, or installed from the distribution's packages."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

# Packages of the programs only: installing them starts no service and makes no system-wide database.
PACKAGES = (("mariadb-server-core", "mariadb-client-core"), ("mysql-server-core-8.0", "mysql-client-core-8.0"))
# Servers live where an ordinary user's PATH does not look.
ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec")


def find_server() -> Path | None:
    """The program named by MYSQLD, or the first mysqld or mariadbd on this machine."""
    if named := os.environ.get("MYSQLD"):
        if found := shutil.which(named):
            return Path(found)
        raise SystemExit(f"MYSQLD names {named}, which is not a program here")
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *ELSEWHERE])
    found = shutil.which("mysqld", path=path) or shutil.which("mariadbd", path=path)
    return Path(found) if found else None


def find_or_install_server() -> Path:
    """The server's program, installed when there is none and we may; otherwise ends with what a person can do."""
    if found := find_server():
        return found
    problem = "this machine has no apt-get"
    if shutil.which("apt-get"):
        problem = _install()
    if found := find_server():
        return found
    raise SystemExit(
        f"No MySQL or MariaDB server was found, and none could be installed: {problem}.\n"
        "There are two ways: install one (any mysqld or mariadbd, on PATH or named by MYSQLD; it need not run),\n"
        "or start Docker and use that (ENGINE=docker)."
    )


def _install() -> str:
    """Try the packages one after another; says what went wrong last."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if as_root and not (shutil.which("sudo") and _succeeds(*as_root, "true")):
        return "that needs root, or sudo without a password"
    print(f"Installing {PACKAGES[0][0]}: no MySQL or MariaDB server was found …", end="", file=sys.stderr, flush=True)
    begun = time.monotonic()
    try:
        return _install_one([*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"])
    finally:
        print(f" {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def _install_one(apt_get: list[str]) -> str:
    # Lists that can't be had need not be those with our packages: no check.
    _succeeds(*apt_get, "update")
    for packages in PACKAGES:
        command = [*apt_get, "install", "-y", "--no-install-recommends", *packages]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return "the package brought no server"
    return f"apt-get says {done.stderr.strip().splitlines()[-1:] or done.returncode}"


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
