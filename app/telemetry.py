"""What a run says of itself: a JSON line an event, the same lines in CloudWatch, and one line of metrics at the end.

Logging never changes the outcome: a log service that is away or refuses costs a line on the console and some seconds.
"""

import contextlib
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

from app.errors import DeadlineExceeded, PipelineError
from app.interrupt import Interrupts
from app.records import RunReport
from app.schema import TABLES

_MAX_CHARS = 8_000  # of one text in a line
_MAX_BYTES = 200_000  # of a line: CloudWatch takes 256 KiB, and what is cut in the middle is no JSON
_LEAST_SECRET_CHARS = 4  # a shorter one would garble every line and protect nothing
_OPEN_TIMEOUT_S = 6.0
_CLOSE_TIMEOUT_S = 8.0
NAMESPACE = "SpacexPipeline"

# Whose fault it is when the time runs out while other threads work: the system that the stage waits for.
_STAGE_EXIT_CODES = {
    "extract": 3,
    "archive": 5,
    "quarantine": 5,
    "put": 5,
    "manifest": 5,
    "raw": 5,
    "prove": 5,
    "history": 5,
    "compare": 5,
    "merge": 6,
    "commit": 6,
}


class View(Protocol):
    """A terminal that shows how a run goes on."""

    def stage(self, name: str, detail: str, done: int = 0, total: int | None = None) -> None: ...
    def warning(self, message: str) -> None: ...


class Telemetry:
    """Events of one run."""

    def __init__(
        self,
        run_id: str,
        logger: logging.Logger,
        interrupts: Interrupts,
        view: View | None = None,
    ) -> None:
        self._run_id = run_id
        self._logger = logger
        self._interrupts = interrupts
        self._view = view
        self._stages: list[str] = []
        self.warnings: list[str] = []
        self.stage_seconds: dict[str, float] = {}

    def begin(self, run_id: str) -> None:
        """What follows is told of another run."""
        self._run_id = run_id
        self.warnings, self.stage_seconds = [], {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[dict[str, Any]]:
        """A stage of the run: timed, told at its end with the counts put into the dictionary, named in the errors it raises."""
        counts: dict[str, Any] = {}
        self._stages.append(name)
        if self._view:
            self._view.stage(name, "")
        started = time.monotonic()
        try:
            try:
                yield counts
            finally:
                self._interrupts.check()
        except PipelineError as error:
            error.stage = error.stage or name
            if isinstance(error, DeadlineExceeded) and error.exit_code == 1:
                error.exit_code = _STAGE_EXIT_CODES.get(name, 1)
            raise
        finally:
            self._stages.pop()
            self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + time.monotonic() - started
        self.event(f"{name} done", stage=name, seconds=round(self.stage_seconds[name], 3), **counts)

    def progress(self, detail: str, done: int = 0, total: int | None = None) -> None:
        """Something moved inside the stage, so far of so much where that is known; shown on a terminal only."""
        if self._view and self._stages:
            self._view.stage(self._stages[-1], detail, done, total)

    def event(self, message: str, level: int = logging.INFO, /, **fields: Any) -> None:
        """One line."""
        self._logger.log(level, message, extra={"fields": {"run_id": self._run_id, **fields}})

    def warn(self, message: str) -> None:
        """Something that a person should see though the run goes on."""
        self.warnings.append(message)
        self.event(message, logging.WARNING, **({"stage": self._stages[-1]} if self._stages else {}))
        if self._view:
            self._view.warning(message)

    def warn_if(self, names: list[str], message: str) -> None:
        """Warn once of all the names there are, if any."""
        if names:
            self.warn(f"{message}: {', '.join(names)}")

    def uninterrupted(self) -> AbstractContextManager[None]:
        """A stretch that no signal cuts in two."""
        return self._interrupts.held()


class JsonFormatter(logging.Formatter):
    """One JSON object a line; secrets are blotted out wherever they turn up."""

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
        return blotted(text, self._secrets)


def blotted(text: str, secrets: tuple[str, ...]) -> str:
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
    logger = logging.getLogger("app")
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


_OUTCOMES = {"run": "Success", "verify": "Verified"}
_GOOD = ("published", "unchanged", "verified", "healed")


def print_metrics(report: RunReport, stack: str, now: datetime, command: str | None) -> None:
    """One line in the embedded metric format, which CloudWatch turns into metrics; on stdout, where the awslogs driver reads.

    An alarm waits for the next good outcome of each command in _OUTCOMES, and no other command may quiet it. `None` is a command
    that has no outcome, since another held the lock.
    """
    age = (now - report.newest_launch_utc).total_seconds() / 86_400 if report.newest_launch_utc else None
    outcome = {_OUTCOMES[command]: (float(report.state in _GOOD), "None")} if command in _OUTCOMES else {}
    rows = {
        f"Rows.{table}.{action}": getattr(report.merged[table], action) if table in report.merged else 0
        for table in TABLES
        for action in ("inserted", "updated", "deleted")
    }
    values: dict[str, tuple[float, str]] = {
        **outcome,
        "Rejected": (report.rejected, "Count"),
        **({"StoresEqual": (float(report.stores_equal), "None")} if report.stores_equal is not None else {}),
        **({"DataAgeDays": (round(age, 3), "None")} if age is not None else {}),
        **{f"StageSeconds.{name}": (round(s, 3), "Seconds") for name, s in report.stage_seconds.items()},
        "RowsWritten": (sum(rows.values()), "Count"),
    }
    metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()]
    line = {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["stack"]], "Metrics": metrics}],
        },
        "stack": stack,
        "run_id": report.run_id,
        **{name: value for name, (value, _) in values.items()},
        **rows,  # fields of the line, and no metrics: each would cost 0.30 USD a month, and none is watched
    }
    print(json.dumps(line), file=sys.stdout, flush=True)  # noqa: T201  # a metric, not a log line
