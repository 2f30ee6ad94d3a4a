"""Log lines: JSON on the console, the same lines in CloudWatch."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TextIO

from .redaction import redacted_value
from .text import json_text

_MAX_CHARS = 8_000  # of one text in a line
_MAX_BYTES = 200_000  # of a line: CloudWatch takes 256 KiB, and what is cut in the middle is no JSON

_OPEN_TIMEOUT_S = 6.0
_CLOSE_TIMEOUT_S = 8.0


class JsonFormatter(logging.Formatter):
    """One JSON object a line; secrets are masked wherever they turn up, before anything is shortened."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        line = redacted_value(line, self._secrets, _clipped)
        text = json_text(line)
        if len(text.encode()) > _MAX_BYTES:
            short = {name: value for name, value in line.items() if not isinstance(value, dict | list)}
            text = json_text({**short, "shortened": True})
        return text


def _clipped(text: str) -> str:
    return text if len(text) <= _MAX_CHARS else text[: _MAX_CHARS - 1] + "…"


def logger_to(console: TextIO | None, level: str, secrets: tuple[str, ...]) -> logging.Logger:
    """The program's logger, writing JSON lines to the console if one is given; calling it again adds nothing twice."""
    formatter = JsonFormatter(secrets)
    logger = logging.getLogger("spacex_pipeline")
    logger.handlers.clear()
    logger.setLevel(level)
    logger.propagate = False
    root = logging.getLogger()
    root.handlers.clear()
    root.setLevel(logging.WARNING)  # libraries are held back; what they warn of goes to the console alone
    logging.captureWarnings(capture=True)
    handler: logging.Handler = logging.StreamHandler(console) if console else logging.NullHandler()
    handler.setFormatter(formatter)
    root.addHandler(handler)
    logger.addHandler(handler)
    return logger


@contextlib.contextmanager
def cloudwatch(
    logger: logging.Logger, group: str, run_id: str, region: str | None, secrets: tuple[str, ...], warn: Callable[[str], None]
) -> Iterator[None]:
    """Send the logger's lines to a CloudWatch group too, a stream for each run; the queue is flushed at the end, in bounded time.

    Lines that are not delivered are no failure; `warn` is called once.
    """
    if not group:
        yield
        return
    made: Future[logging.Handler] = Future()
    # In a thread: a service that answers byte by byte outlasts all of the client's timeouts.
    threading.Thread(target=_make_handler, args=(made, group, run_id, region), daemon=True).start()
    try:
        handler = made.result(_OPEN_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001  # a fault in logging never ends a run
        warn(f"no logs will reach CloudWatch group {group}: {str(error) or 'it does not answer'}")
        yield
        return
    handler.setFormatter(JsonFormatter(secrets))
    lost: list[str] = []

    def delivered(record: logging.LogRecord) -> bool:
        """Keep watchtower's Python warnings, one for each attempt, off the console."""
        _, found, text = record.getMessage().partition("WatchtowerWarning: ")
        if found:
            lost.append(text.splitlines()[0])
        return not found

    python_warnings = logging.getLogger("py.warnings")
    python_warnings.addFilter(delivered)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        closing = threading.Thread(target=handler.close, daemon=True)
        closing.start()
        closing.join(_CLOSE_TIMEOUT_S)
        if closing.is_alive():
            lost.append(f"no answer within {_CLOSE_TIMEOUT_S:.0f} s")
        python_warnings.removeFilter(delivered)
        if lost:
            warn(f"CloudWatch group {group} did not take every line: {lost[0]}")


def _make_handler(made: "Future[logging.Handler]", group: str, run_id: str, region: str | None) -> None:
    import boto3  # slow to import, and only used with CloudWatch
    import watchtower
    from botocore.config import Config

    try:
        client = boto3.client(
            "logs",
            region_name=region,
            config=Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 1}),
        )
        # Terraform creates the group: the job has no right to.
        handler = watchtower.CloudWatchLogHandler(
            log_group_name=group, log_stream_name=run_id, boto3_client=client, create_log_group=False, send_interval=5
        )
    except Exception as error:  # noqa: BLE001  # raised where the result is read
        made.set_exception(error)
    else:
        made.set_result(handler)
