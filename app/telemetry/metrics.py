"""One line of metrics at the end, in CloudWatch's embedded metric format."""

import json
import sys
from datetime import datetime

from ..core.runs import RunSummary
from ..core.schema import TABLES

NAMESPACE = "SpacexPipeline"


_OUTCOMES = {"run": "Success", "verify": "Verified"}


def print_metrics(summary: RunSummary, stack: str, now: datetime, command: str | None) -> None:
    """One line in the embedded metric format, which CloudWatch turns into metrics; on stdout, where the awslogs driver reads.

    An alarm waits for the next good outcome of each command in _OUTCOMES, and no other command may quiet it. `None` is a command
    that has no outcome, since another held the lock.
    """
    age = (now - summary.newest_launch_utc).total_seconds() / 86_400 if summary.newest_launch_utc else None
    outcome = {_OUTCOMES[command]: (float(summary.state.is_good), "None")} if command in _OUTCOMES else {}
    rows = {
        f"Rows.{table}.{action}": getattr(summary.merged[table], action) if table in summary.merged else 0
        for table in TABLES
        for action in ("inserted", "updated", "deleted")
    }
    values: dict[str, tuple[float, str]] = {
        **outcome,
        "Rejected": (summary.rejected, "Count"),
        **({"StoresEqual": (float(summary.stores_equal), "None")} if summary.stores_equal is not None else {}),
        **({"DataAgeDays": (round(age, 3), "None")} if age is not None else {}),
        **{f"StageSeconds.{name}": (round(s, 3), "Seconds") for name, s in summary.stage_seconds.items()},
        "RowsWritten": (sum(rows.values()), "Count"),
    }
    metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()]
    line = {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["stack"]], "Metrics": metrics}],
        },
        "stack": stack,
        "run_id": summary.run_id,
        **{name: value for name, (value, _) in values.items()},
        **rows,  # fields of the line, and no metrics: each would cost 0.30 USD a month, and none is watched
    }
    print(json.dumps(line), file=sys.stdout, flush=True)  # noqa: T201  # a metric, not a log line
