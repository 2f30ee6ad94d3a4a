"""Passwords and names of any Unicode text work, and those that can't are refused by name before anything changes."""

import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import replace

import pymysql
import pytest

from tests.program import Program
from tests.services import AwsEndpoint, Login, drop_database

PASSWORDS = {
    "emoji": "rocket 🚀 and 🛰️ in orbit",
    "umlauts": "Größe, Übermut, naïve café",
    "quotes": """'single' "double" `back` ''""",
    "backslashes": r"\ \\ \' \0 \n \x41",
    "percent signs": "%s %% %(a)s 100%",
    "spaces": "  begins and ends  ",
    "200 characters": "ü" * 56 + "x" * 144,
    "line ends": "first\nsecond\ttab",
    "other scripts": "пароль 密碼 كلمة",
}


@pytest.fixture
def planned(mysql: Login) -> Iterator[Login]:
    """A log-in that does not exist yet, nor its database."""
    name = f"init_{secrets.token_hex(6)}"
    login = Login(mysql.host, mysql.port, name, secrets.token_hex(12), name)
    yield login
    drop_database(mysql, login)


@pytest.fixture
def program(planned: Login, mysql: Login, aws: AwsEndpoint, bucket: str) -> Program:
    """The program, set up for that log-in, and for a server on this machine."""
    settings = {**aws.environment(), **planned.environment(), "S3_BUCKET": bucket, "MYSQL_ALLOW_UNVERIFIED": "true"}
    settings |= {"MYSQL_ADMIN_USER": mysql.user, "MYSQL_ADMIN_PASSWORD": mysql.password}
    return Program({**os.environ, **settings}, aws, planned)


def test_passwords_of_any_text_work(program: Program, planned: Login) -> None:
    """For init-db, for the program after it, and for other clients."""
    for kind, password in PASSWORDS.items():
        program("init-db", MYSQL_PASSWORD=password)
        listed = program("runs", "--json", MYSQL_PASSWORD=password)
        assert listed.stdout.strip() == "[]", kind
        connection = pymysql.connect(
            host=planned.host, port=planned.port, user=planned.user, password=password.encode(), database=planned.database
        )
        connection.close()
        wrong = program("runs", code=6, MYSQL_PASSWORD=password + "x")
        assert "1045" in wrong.lines[-1]["message"]


def test_passwords_of_any_text_work_with_ed25519(program: Program, planned: Login, mysql: Login) -> None:
    try:
        mysql.query("INSTALL SONAME 'auth_ed25519'")
    except pymysql.err.MySQLError as error:
        if error.args[0] != 1968:  # it is there already
            pytest.skip(f"the server does not have this log-in method: {error}")
    program("init-db")
    for kind, password in PASSWORDS.items():
        mysql.query(f"ALTER USER `{planned.user}`@'%%' IDENTIFIED VIA ed25519 USING PASSWORD(%s)", password)
        assert program("runs", "--json", MYSQL_PASSWORD=password).stdout.strip() == "[]", kind


@pytest.mark.parametrize("name", ['it\'s "quoted" `so`', "Grün_50%", "naïve-ключ"])
def test_names_of_any_text_work(name: str, program: Program, planned: Login, mysql: Login) -> None:
    """Quoted everywhere; each wild card that GRANT knows is itself."""
    user, database = f"{name[:14]}{secrets.token_hex(4)}", f"{name}{secrets.token_hex(4)}"
    try:
        program("init-db", MYSQL_USER=user, MYSQL_DATABASE=database)
        assert program("runs", "--json", MYSQL_USER=user, MYSQL_DATABASE=database).stdout.strip() == "[]"
        login = replace(planned, user=user, database=database)
        with pytest.raises(pymysql.err.OperationalError):
            login.query("SELECT * FROM mysql.user")
    finally:
        mysql.query(f"DROP DATABASE IF EXISTS `{database.replace('`', '``')}`")
        mysql.query("DROP USER IF EXISTS %s@'%%'", user)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("MYSQL_PASSWORD", "", "MYSQL_PASSWORD is not set"),
        ("MYSQL_PASSWORD", "ü" * 129, "MYSQL_PASSWORD is longer than 256 bytes"),
        ("MYSQL_USER", "u" * 129, "MYSQL_USER is longer than"),
        ("MYSQL_USER", "rocket🚀", "MYSQL_USER holds a character"),
        ("MYSQL_USER", "app\x07", "MYSQL_USER holds a control character"),
        ("MYSQL_USER", "app ", "MYSQL_USER begins or ends with a space"),
        ("MYSQL_DATABASE", "base🚀", "MYSQL_DATABASE holds a character"),
        ("MYSQL_DATABASE", "base ", "MYSQL_DATABASE begins or ends with a space"),
        ("MYSQL_DATABASE", "a\\_b", "MYSQL_DATABASE holds a backslash"),
        ("MYSQL_DATABASE", "mysql", "the server's own"),
    ],
)
def test_what_can_not_work_is_refused_by_name_and_changes_nothing(
    setting: str, value: str, said: str, program: Program, mysql: Login, planned: Login
) -> None:
    before = everything(mysql, planned)
    ended = program("init-db", code=2, **{setting: value})
    assert said in ended.stdout + ended.stderr
    assert everything(mysql, planned) == before


def test_a_server_that_was_not_verified_is_sent_no_new_password(program: Program, mysql: Login, planned: Login) -> None:
    before = everything(mysql, planned)
    ended = program("init-db", code=6, MYSQL_ALLOW_UNVERIFIED="false")
    assert "MYSQL_SSL_CA" in ended.lines[-1]["message"]
    assert everything(mysql, planned) == before


def everything(mysql: Login, planned: Login) -> object:
    """The server's users and databases, but for those that other tests make and drop on it meanwhile."""
    others = re.compile(r"test[0-9a-f]{12}")
    ours = {planned.user, planned.database}
    users = mysql.query("SELECT user, host FROM mysql.user")
    databases = mysql.query("SHOW DATABASES")
    return sorted(row for row in (*users, *databases) if row[0] in ours or not others.fullmatch(row[0]))
