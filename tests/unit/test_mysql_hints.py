"""What a person is told to do about an error of MySQL's, by its number."""

import pytest

from app.mysql.hints import hint_for


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1045, "check MYSQL_USER"),
        (1049, "init-db makes it"),
        (1153, "raise max_allowed_packet"),
        (2003, "is the server up, and reachable"),
        (2006, "or whose packet is over its max_allowed_packet"),
        (2013, "or whose packet is over its max_allowed_packet"),
        (1290, "MYSQL_HOST must name the primary"),
        (1836, "MYSQL_HOST must name the primary"),
        (1598, "binlog_format = ROW or MIXED"),
        (1665, "binlog_format = ROW or MIXED"),
        (1193, "MySQL 8.0 or MariaDB 10.11"),
        (1305, "MySQL 8.0 or MariaDB 10.11"),
        (3024, "run again"),
        (1317, "run again"),
        (1054, "somebody altered the tables"),
        (1146, "somebody altered the tables"),
        (99999, ""),
    ],
)
def test_each_number_has_its_hint(code: int, says: str) -> None:
    assert says in hint_for(code)
    assert bool(says) == bool(hint_for(code))
