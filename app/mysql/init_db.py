"""The program's user in MySQL, made by an administrator: the rights that a run needs and none beside them."""

import unicodedata

from ..core.identifiers import quoted
from ..core.views import VIEWS
from ..errors import SettingsError, WarehouseError
from ..settings import Settings
from .hints import UNVERIFIED
from .requirements import of_the_tables, of_the_views
from .session import Session

# What warehouse.py, sql.py, ddl.py and views.py do. No DROP: whoever made a temporary table may drop it.
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES, CREATE VIEW"
# To replace a view takes DROP; MySQL grants it on what is not there yet only together with CREATE.
RIGHTS_OF_VIEWS = "CREATE, DROP"
_TIMEOUT_S = 60.0
_MOST_PASSWORD_BYTES = 256  # of caching_sha2_password
_MOST_USER_CHARS = {"MySQL": 32, "MariaDB": 128}
_LAST_OF_NAMES = 0xFFFF  # names are utf8mb3 in MySQL
_SYSTEM_DATABASES = ("mysql", "information_schema", "performance_schema", "sys")


def init_db(settings: Settings) -> None:
    """Make database and user where they are missing, set password and rights, and log in as that user. May be repeated.

    What can't work is refused before anything changes on the server. Raises SettingsError for settings that can't be used,
    WarehouseError when the server refuses.
    """
    _check_settings(settings)
    as_admin = {
        "mysql_user": settings.mysql_admin_user,
        "mysql_password": settings.mysql_admin_password,
        "mysql_database": "",  # it may not be there yet
    }
    admin = Session(settings.model_copy(update=as_admin), timeout_s=_TIMEOUT_S)
    try:
        if not admin.trusted:
            raise WarehouseError(
                "init-db would send the new password to a server whose TLS is not verified; nothing was changed",
                hint=UNVERIFIED,
            )
        _make(admin, settings)
    finally:
        admin.close()
    session = Session(settings, timeout_s=_TIMEOUT_S)
    try:
        of_the_tables().prove(session)
        of_the_views().prove(session)
    finally:
        session.close()


def _check_settings(settings: Settings) -> None:
    """Raises SettingsError that names the first setting with which a user can't be made or could not log in."""
    user, database = settings.mysql_user, settings.mysql_database
    if settings.mysql_admin_user == user:
        raise SettingsError("MYSQL_USER is the administrator", hint="init-db would change the administrator's own password")
    _check_password(settings.mysql_password.get_secret_value())
    for name, value in (("MYSQL_USER", user), ("MYSQL_DATABASE", database)):
        if value != value.strip():
            raise SettingsError(f"{name} begins or ends with a space", hint="MySQL does not keep it")
        if any(ord(c) > _LAST_OF_NAMES or unicodedata.category(c).startswith("C") for c in value):
            raise SettingsError(f"{name} holds a character that names can't have", hint="no emoji and no control characters")
    if "\\" in database:
        raise SettingsError("MYSQL_DATABASE holds a backslash", hint="GRANT would take it for an escape")
    if database.lower() in _SYSTEM_DATABASES:
        raise SettingsError(f"MYSQL_DATABASE is {database}, which is the server's own", hint="name one for the pipeline alone")


def _check_password(password: str) -> None:
    if "\0" in password:
        raise SettingsError("MYSQL_PASSWORD holds a NUL character", hint="it would end the password early")
    if len(password.encode()) > _MOST_PASSWORD_BYTES:
        raise SettingsError(f"MYSQL_PASSWORD is longer than {_MOST_PASSWORD_BYTES} bytes", hint="MySQL's log-in takes no more")


def _make(admin: Session, settings: Settings) -> None:
    user, password = settings.mysql_user, settings.mysql_password.get_secret_value()
    version = str(admin.query("SELECT VERSION()")[0][0])
    product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    if len(user) > (most := _MOST_USER_CHARS[product]):
        raise SettingsError(f"MYSQL_USER is longer than {most} characters", hint=f"{product} allows no more")
    tls = " REQUIRE SSL" if settings.mysql_ssl_ca else ""
    database = quoted(settings.mysql_database).replace("%", "%%")
    # The user first: a server with rules for passwords refuses here, before anything was changed.
    admin.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", [user, password])
    admin.execute(f"ALTER USER %s@'%%' IDENTIFIED BY %s{tls}", [user, password])
    admin.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(settings.mysql_database)} CHARACTER SET utf8mb4")
    if admin.query("SHOW VARIABLES LIKE 'partial_revokes'")[:1] != [("partial_revokes", "ON")]:
        database = database.replace("_", r"\_").replace("%%", r"\%%")  # wild cards to GRANT, unless partial_revokes is on
    admin.execute(f"GRANT {RIGHTS} ON {database}.* TO %s@'%%'", [user])
    for view in VIEWS:
        name = f"{quoted(settings.mysql_database)}.{quoted(view)}".replace("%", "%%")  # no wild cards here
        admin.execute(f"GRANT {RIGHTS_OF_VIEWS} ON {name} TO %s@'%%'", [user])
