"""Log lines: JSON on the console, the same lines in CloudWatch."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TextIO

_MAX_CHARS = 8_000  # of one text in a line


_MAX_BYTES = 200_000  # of a line: CloudWatch takes 256 KiB, and what is cut in the middle is no JSON


_LEAST_SECRET_CHARS = 4  # a shorter one would garble every line and protect nothing


_OPEN_TIMEOUT_S = 6.0


_CLOSE_TIMEOUT_S = 8.0


class JsonFormatter(logging.Formatter):
    """One JSON object a line; secrets are redacted out wherever they turn up."""

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
        text = json.dumps(_clipped(line), default=str, ensure_ascii=False)
        if len(text.encode(errors="replace")) > _MAX_BYTES:
            short = {name: value for name, value in line.items() if not isinstance(value, dict | list)}
            text = json.dumps({**_clipped(short), "shortened": True}, default=str, ensure_ascii=False)
        return redacted(text, self._secrets)


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """A text without the secrets."""
    for secret in secrets:
        if len(secret) >= _LEAST_SECRET_CHARS:
            text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return text


def _clipped(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MAX_CHARS else value[: _MAX_CHARS - 1] + "…"
    if isinstance(value, dict):
        return {k: _clipped(v) for k, v in value.items()}
    return value


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
    """Send the logger's lines to the group too, in one stream a run; what is queued leaves at the end, within a bounded time.

    What does not get there is no failure, and is told by `warn` once.
    """
    if not group:
        yield
        return
    made: Future[logging.Handler] = Future()
    # In a thread, since a service that answers byte by byte outlasts every timeout of the client's.
    threading.Thread(target=_make_handler, args=(made, group, run_id, region), daemon=True).start()
    try:
        handler = made.result(_OPEN_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with logging, the run goes on
        warn(f"no logs will reach CloudWatch group {group}: {str(error) or 'it does not answer'}")
        yield
        return
    handler.setFormatter(JsonFormatter(secrets))
    lost: list[str] = []

    def delivered(record: logging.LogRecord) -> bool:
        """Take watchtower's complaints, which come as Python warnings, one an attempt, off the console."""
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
    import boto3  # only where it is used: a run without CloudWatch does not pay for it
    import watchtower
    from botocore.config import Config

    try:
        client = boto3.client(
            "logs",
            region_name=region,
            config=Config(connect_timeout=2, read_timeout=4, retries={"total_max_attempts": 1}),
        )
        # The group is Terraform's: creating it would need rights that the job shall not have.
        handler = watchtower.CloudWatchLogHandler(
            log_group_name=group, log_stream_name=run_id, boto3_client=client, create_log_group=False, send_interval=5
        )
    except Exception as error:  # noqa: BLE001  # raised again where the result is asked for
        made.set_exception(error)
    else:
        made.set_result(handler)
