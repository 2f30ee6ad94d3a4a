"""What to do about an error of the server's, by its number."""

from pymysql.constants import CR, ER

UNVERIFIED = "set MYSQL_SSL_CA, so that TLS is verified; MYSQL_ALLOW_UNVERIFIED=true is for a server on this machine alone"
_REACHABLE = "is the server up, and reachable from here?"
_LOST = (
    f"{_REACHABLE} It also ends a connection that was killed, or whose packet is over its max_allowed_packet: its error log says"
)
_CREDENTIALS = "check MYSQL_USER, MYSQL_PASSWORD and the user's rights on the database"
_READ_ONLY = "the server takes no writes: MYSQL_HOST must name the primary (writer), and read_only must be off there"
_TLS = "set MYSQL_SSL_CA to the file of the authority that signed the server's certificate; MYSQL_HOST must be a name in it"
_CONNECTIONS = "the server's limit of connections is reached: raise it, or end what holds them"
_PRIMARY_KEY = "the server requires a primary key for every table, and this table has none"
_PACKET = "raise max_allowed_packet on the server (on RDS: in its parameter group)"
_DISK = "the server's disk or table space is full"
_LOCKED = "another session holds a lock that is waited for: SHOW PROCESSLIST names it"
_ACCOUNT = "the account is locked or its password has expired: an administrator must set it anew (init-db does)"
_OLD = "the server is older than what this program needs: MySQL 8.0 or MariaDB 10.11"
_BINARY_LOG = "the binary log's format must allow READ COMMITTED: set binlog_format = ROW or MIXED on the server"
_ENDED = "a person or a limit of the server's ended the statement: run again"
_ALTERED = "somebody altered the tables: a run repairs them, or says what a person must approve"
_METHOD = (
    "the account's log-in method is not available to this client: use caching_sha2_password, mysql_native_password or ed25519"
)

_HINTS: dict[int, str] = {
    **dict.fromkeys((1148, 3948, 3950, 4166), "set local_infile = 1 on the server (on RDS: in its parameter group)"),
    **dict.fromkeys((ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR), _CREDENTIALS),
    **dict.fromkeys((ER.COLUMNACCESS_DENIED_ERROR, ER.SPECIFIC_ACCESS_DENIED_ERROR, 1698), _CREDENTIALS),
    **dict.fromkeys((1040, 1203, 1226), _CONNECTIONS),
    ER.BAD_DB_ERROR: "check MYSQL_DATABASE; init-db makes it",
    1129: "the server blocks this host after many failed connections: mysqladmin flush-hosts",
    1130: "the server has no account for this host",
    **dict.fromkeys((1153, 1301, 1162), _PACKET),
    **dict.fromkeys((1290, 1792, 1836, 1874, 1036), _READ_ONLY),
    **dict.fromkeys((1598, *range(1661, 1667)), _BINARY_LOG),
    **dict.fromkeys((ER.PARSE_ERROR, 1115, 1193, 1235, 1273, 1305), _OLD),
    **dict.fromkeys((1317, 1969, 3024), _ENDED),
    **dict.fromkeys((ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR, 1412), _ALTERED),
    **dict.fromkeys((3750, 1173, 4111), _PRIMARY_KEY),
    **dict.fromkeys((ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK), _LOCKED),
    **dict.fromkeys((3159, 1251, CR.CR_SSL_CONNECTION_ERROR), _TLS),
    **dict.fromkeys((1820, 1862, 3118, 4151), _ACCOUNT),
    **dict.fromkeys((1524, CR.CR_AUTH_PLUGIN_CANNOT_LOAD), _METHOD),
    **dict.fromkeys((1021, 1114), _DISK),
    **dict.fromkeys((CR.CR_CONN_HOST_ERROR, 1053), _REACHABLE),
    **dict.fromkeys((CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR, 1927, 4031), _LOST),
    CR.CR_MALFORMED_PACKET: "is it a MySQL or MariaDB server that listens there, and nothing between that alters its answers?",
    CR.CR_AUTH_PLUGIN_ERR: UNVERIFIED,
    1819: "the password does not satisfy the server's rules for passwords",
}


def hint_for(code: int, *, tls: bool = False) -> str:
    """The hint for an error number, or an empty text; `tls`: it was TLS that failed."""
    return _TLS if tls else _HINTS.get(code, "")
