"""The doctor's checks of MySQL; nothing is changed that lasts."""

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from ..core.health import Check, clock_check
from ..errors import WarehouseError
from ..settings import Settings
from .query import error_code
from .requirements import Requirement, clock_skew_s, of_a_run, of_the_tables, of_the_views
from .session import Session
from .warehouse import MysqlWarehouse

_TIMEOUT_S = 15
_EXIT_CODE = WarehouseError.exit_code
_NOT_MADE_YET = (1146, 1054)  # no such table, no such column


def checks(settings: Settings) -> Iterator[Check]:
    """The server, the connection, and what a run needs of both. Raises WarehouseError when there is no connection."""
    session = Session(settings, timeout_s=_TIMEOUT_S)
    try:
        server, user, zone = session.query("SELECT VERSION(), CURRENT_USER(), @@session.time_zone")[0]
        yield Check("MySQL answers", True, f"version {server}, as {user}", "", _EXIT_CODE)
        yield clock_check("MySQL", clock_skew_s(session), _EXIT_CODE)
        yield Check(
            "MySQL time zone", zone == "+00:00", f"the session's is {zone}", "sessions must be able to set it", _EXIT_CODE
        )
        yield _tls(settings, session)
        for requirement in (of_the_tables(), *of_a_run()):
            yield _proven(requirement, session)
        views = _proven(of_the_views(), session)
        yield replace(views, passed=True, warning=not views.passed)
    finally:
        session.close()


def tables(settings: Settings) -> Iterator[Check]:
    """The tables against the schema. Raises WarehouseError when a person has to approve DDL."""
    with MysqlWarehouse(settings) as warehouse:
        pending = len(warehouse.pending_ddl()) + len(warehouse.pending_descriptions())
        found = f"a run begins with {pending} statements of DDL" if pending else "as the schema says"
        yield Check("MySQL tables", True, found, "", _EXIT_CODE)


def _proven(requirement: Requirement, session: Session) -> Check:
    name = f"MySQL {requirement.name}"
    try:
        requirement.prove(session)
    except WarehouseError as error:
        if error_code(error) in _NOT_MADE_YET:
            return Check(name, True, "to be seen when a run has made the tables", "", _EXIT_CODE)
        return Check(name, False, error.message, error.hint, _EXIT_CODE)
    return Check(name, True, requirement.met, "", _EXIT_CODE)


def _tls(settings: Settings, session: Session) -> Check:
    cipher = session.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]
    if settings.mysql_ssl_ca:
        return Check("MySQL TLS", bool(cipher), f"{cipher}, verified by {settings.mysql_ssl_ca}", "", _EXIT_CODE)
    local = _is_loopback(settings.mysql_host)
    found = f"{cipher or 'none'}, not verified{': the server is on this machine' if local else ''}"
    return Check("MySQL TLS", local, found, "set MYSQL_SSL_CA to the file of the server's certificate authority", _EXIT_CODE)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
