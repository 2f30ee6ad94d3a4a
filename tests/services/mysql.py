"""A private MySQL or MariaDB server, and log-ins to it or to one that runs already."""

import configparser
import os
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pymysql
import pymysql.cursors

from tests.services.install import find_or_install_server
from tests.services.server import HOST, Server, ServerFailed

# A server that forgets nothing when it is killed, but does not wait for the disk: this data is thrown away.
QUICK = (
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=OFF",
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-redo-log-capacity=64M",  # MySQL
    "--loose-innodb-log-file-size=32M",  # MariaDB, and MySQL before 8.0.30
    "--skip-log-bin",
)
APPARMOR_PROFILE = Path("/etc/apparmor.d/usr.sbin.mysqld")
NOT_UP_YET = (2003, 2006, 2013, 1053)  # refused, gone, lost, shutting down


@dataclass(frozen=True)
class Login:
    """Who logs in where, and into which database."""

    host: str
    port: int
    user: str
    password: str
    database: str = ""

    def connect(self, **options: Any) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection that commits each statement; options are PyMySQL's."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.database or None,
            **{"charset": "utf8mb4", "autocommit": True, "connect_timeout": 10, **options},
        )

    def query(self, statement: str, *values: object) -> tuple[tuple[Any, ...], ...]:
        """The rows of one statement on a connection of its own."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def environment(self) -> dict[str, str]:
        """The program's settings for this log-in."""
        return {
            "MYSQL_HOST": self.host,
            "MYSQL_PORT": str(self.port),
            "MYSQL_USER": self.user,
            "MYSQL_PASSWORD": self.password,
            "MYSQL_DATABASE": self.database,
        }

    def write(self, file: Path) -> None:
        """Keep it as an option file for the mysql and mariadb commands (`--defaults-file`), for its owner only."""
        options = configparser.ConfigParser(interpolation=None)
        options["client"] = {"protocol": "tcp", "host": self.host, "port": str(self.port), "user": self.user}
        options["client"]["password"] = self.password
        options["mysql"] = {"default-character-set": "utf8mb4"}
        if self.database:
            options["mysql"]["database"] = self.database
        # MariaDB's own client (11.4 and later) would otherwise refuse a MySQL server's self-made certificate.
        options["client-mariadb"] = {"ssl-verify-server-cert": "0"}
        file.touch(mode=0o600)
        with file.open("w") as output:
            options.write(output, space_around_delimiters=False)

    @classmethod
    def read(cls, file: Path) -> "Login":
        """The log-in that `write` kept."""
        options = configparser.ConfigParser(interpolation=None)
        options.read_string(file.read_text())
        client = options["client"]
        return cls(
            client["host"],
            int(client["port"]),
            client["user"],
            client["password"],
            options["mysql"].get("database", ""),
        )


def create_database(admin: Login, database: str, user: str, password: str) -> Login:
    """Make a database, unless it is there, and a user who has all rights on it and none elsewhere."""
    if not re.fullmatch("[A-Za-z0-9_]+", database):
        raise ValueError(f"{database!r}: only letters, digits and underscores")
    granted = database.replace("_", r"\_")  # else a wild card
    with admin.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{database}`")
        cursor.execute("SELECT USER()")
        seen_as = str(cursor.fetchall()[0][0]).rpartition("@")[2]  # a server in a container sees its gateway
        for host in sorted({seen_as, HOST, "localhost"}):
            cursor.execute("CREATE USER IF NOT EXISTS %s@%s IDENTIFIED BY %s", (user, host, password))
            cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (user, host, password))
            cursor.execute(f"GRANT ALL ON `{granted}`.* TO %s@%s", (user, host))
    login = Login(admin.host, admin.port, user, password, database)
    # MySQL asks for the password itself until a user has logged in once, and the program gives it to no server on trust.
    login.connect().close()
    return login


def drop_database(admin: Login, login: Login) -> None:
    """Remove what `create_database` made; connections left open are ended, so that their locks hold nothing up."""
    with admin.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (login.user,))
        for (number,) in cursor.fetchall():
            try:
                cursor.execute("KILL %s", (number,))
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1094:  # no such thread: gone in the meantime
                    raise
        cursor.execute("SET SESSION lock_wait_timeout = 30")
        cursor.execute(f"DROP DATABASE IF EXISTS `{login.database}`")
        cursor.execute("SELECT host FROM mysql.user WHERE user = %s", (login.user,))
        for (host,) in cursor.fetchall():
            cursor.execute("DROP USER %s@%s", (login.user, host))


class MysqlServer(Server):
    """A server with its own data, port, socket, administrator, and one database with its user."""

    name = "database server"

    def __init__(
        self,
        directory: Path,
        *options: str,
        database: str = "spacex",
        user: str = "pipeline",
        tls: tuple[Path, Path, Path] | None = None,
    ) -> None:
        """Options are the server's own and come last, so that they win; tls is CA, certificate and key."""
        super().__init__(directory.resolve())
        self._options = list(options)
        if tls:
            parts = zip(("ca", "cert", "key"), tls, strict=True)
            self._options += [f"--ssl-{part}={file.resolve()}" for part, file in parts]
        self._database = database
        self._user = user
        self._data = self.directory / "data"

    @property
    def admin(self) -> Login:
        """An administrator, who may do anything on this server."""
        return self._login("admin", "")

    @property
    def login(self) -> Login:
        """The user of the one database."""
        return self._login(self._user, self._database)

    @cached_property
    def flavour(self) -> Literal["mysql", "mariadb"]:
        """Which of the two it is."""
        command = [str(self._program), "--no-defaults", "--version"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return "mariadb" if "-MariaDB" in shown else "mysql"

    def command(self) -> list[str]:
        """The server, deaf to the system's option files."""
        # The X protocol has a port of its own, and the default directory for files need not exist.
        only_mysql = ["--mysqlx=OFF", "--secure-file-priv=NULL"] if self.flavour == "mysql" else []
        return [
            *self._base(),
            f"--port={self.port}",
            f"--bind-address={HOST}",
            "--socket=mysql.sock",  # in the data directory: a path from the root may be longer than a socket's may be
            "--pid-file=mysql.pid",
            f"--tmpdir={self.directory}",  # a MariaDB that starts removes what others have in a common one
            f"--init-file={self.directory / 'admin.sql'}",
            "--skip-name-resolve",
            "--local-infile=ON",
            *only_mysql,
            *QUICK,
            *self._options,
        ]

    def prepare(self) -> None:
        """Make the data directory and the administrator's password."""
        password = self._login("admin", "").password
        # Run by the server itself at every start: no account without a password is ever to be reached.
        (self.directory / "admin.sql").write_text(
            f"CREATE USER IF NOT EXISTS 'admin'@'{HOST}' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO 'admin'@'{HOST}' WITH GRANT OPTION;\n"
        )
        if self._data.exists():
            return
        made = self.directory / "data.new"
        shutil.rmtree(made, ignore_errors=True)  # an interrupted start left it
        if self.flavour == "mysql":
            command = [*self._base(made), "--initialize-insecure", *QUICK]
        else:
            script = self._install_script()
            # From the directory itself: as root the script hands the name to chown unquoted, and a path may hold blanks.
            options = [*self._base("./data.new")[1:], f"--basedir={script.parent.parent}", "--skip-test-db", *QUICK]
            command = [str(script), *options]
        own = {**os.environ, "TMPDIR": str(self.directory)}  # likewise while the tables are made
        with self.log.open("ab") as output:
            done = subprocess.run(command, cwd=self.directory, env=own, stdout=output, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise ServerFailed(self.explain("could not make its data directory"))
        made.rename(self._data)

    def answers(self) -> bool:
        """Whether the program's own user can log in over TCP; makes database and user on the way."""
        try:
            create_database(self.admin, self._database, self._user, self.login.password)
            self.login.connect().close()
        except pymysql.err.OperationalError as error:
            if error.args[0] in NOT_UP_YET:
                return False
            raise ServerFailed(self.explain(f"refuses a log-in: {error}")) from error
        return True

    def _login(self, user: str, database: str) -> Login:
        """A log-in whose password is in the directory; made when it is first asked for."""
        file = self.directory / f"{user}.cnf"
        password = Login.read(file).password if file.exists() else secrets.token_hex(12)
        login = Login(HOST, self.port, user, password, database)
        if not file.exists() or Login.read(file) != login:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            login.write(file)
        return login

    def _base(self, data: Path | str | None = None) -> list[str]:
        as_root = ["--user=root"] if os.geteuid() == 0 else []  # a server refuses to run as root unless told to
        program = self._unconfined(self._program)
        home = [] if program == self._program else [f"--basedir={self._program.resolve().parent.parent}"]
        return [str(program), "--no-defaults", f"--datadir={data or self._data}", *home, *as_root]

    @cached_property
    def _program(self) -> Path:
        return find_or_install_server()

    def _unconfined(self, program: Path) -> Path:
        """The program, or a copy: Ubuntu's AppArmor keeps its MySQL to the system's own files, and goes by the path."""
        if program.resolve() != Path("/usr/sbin/mysqld") or not APPARMOR_PROFILE.exists():
            return program
        copy = self.directory / "mysqld"
        if not copy.exists():
            shutil.copy(program, copy)
        return copy

    def _install_script(self) -> Path:
        """MariaDB's own script that makes a data directory, from the same installation as the server."""
        home = self._program.resolve().parent.parent
        for name in ("mariadb-install-db", "mysql_install_db"):
            for place in (home / "bin", home / "scripts", Path("/usr/bin")):
                if (place / name).exists():
                    return (place / name).resolve()
        raise ServerFailed(f"{self._program} has no mariadb-install-db beside it")
