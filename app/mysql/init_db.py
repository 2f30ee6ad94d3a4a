"""The program's user in MySQL, made by an administrator: the rights that a run needs and none beside them."""

from ..core.identifiers import quoted
from ..errors import SettingsError
from ..settings import Settings
from .session import Session

# What warehouse.py, sql.py and drift.py do. No DROP: whoever made a temporary table may drop it.
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES"
_TIMEOUT_S = 60.0


def init_db(settings: Settings) -> None:
    """Make database and user where they are missing, set password and rights, and log in as that user. May be repeated.

    Raises SettingsError without an administrator, WarehouseError when the server refuses.
    """
    if not settings.mysql_admin_user or not settings.mysql_admin_password.get_secret_value():
        raise SettingsError("MYSQL_ADMIN_USER or MYSQL_ADMIN_PASSWORD is not set", hint="init-db needs a user who may make users")
    if settings.mysql_admin_user == settings.mysql_user:
        raise SettingsError("MYSQL_USER is the administrator", hint="init-db would change the administrator's own password")
    as_admin = {
        "mysql_user": settings.mysql_admin_user,
        "mysql_password": settings.mysql_admin_password,
        "mysql_database": "",  # it may not be there yet
    }
    admin = Session(settings.model_copy(update=as_admin), timeout_s=_TIMEOUT_S)
    try:
        user, password = settings.mysql_user, settings.mysql_password.get_secret_value()
        tls = " REQUIRE SSL" if settings.mysql_ssl_ca else ""
        database = quoted(settings.mysql_database)
        admin.execute(f"CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4")
        admin.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", [user, password])
        admin.execute(f"ALTER USER %s@'%%' IDENTIFIED BY %s{tls}", [user, password])
        pattern = database.replace("_", r"\_").replace("%", r"\%%")  # to GRANT both are wild cards
        admin.execute(f"GRANT {RIGHTS} ON {pattern}.* TO %s@'%%'", [user])
    finally:
        admin.close()
    Session(settings, timeout_s=_TIMEOUT_S).close()
