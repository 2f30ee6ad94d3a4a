"""One line of metrics at the end, in CloudWatch's embedded metric format."""

import json
import sys
from datetime import datetime

from ..core.model import RunSummary
from ..core.schema import TABLES

NAMESPACE = "SpacexPipeline"


def print_metrics(summary: RunSummary, environment: str, now: datetime, *, of_run: bool) -> None:
    """One line in the embedded metric format, which CloudWatch turns into metrics; on stdout, where the awslogs driver reads.

    Success is of runs alone: an alarm waits for the next one, and no other command may quiet it.
    """
    age = (now - summary.newest_launch_utc).total_seconds() / 86_400 if summary.newest_launch_utc else None
    values: dict[str, tuple[float, str]] = {
        **({"Success": (float(summary.state.is_good), "None")} if of_run else {}),
        "Rejected": (summary.rejected, "Count"),
        **({"StoresEqual": (float(summary.stores_equal), "None")} if summary.stores_equal is not None else {}),
        **({"DataAgeDays": (round(age, 3), "None")} if age is not None else {}),
        **{f"StageSeconds.{name}": (round(s, 3), "Seconds") for name, s in summary.stage_seconds.items()},
    }
    for table in TABLES:
        merged = summary.merged.get(table)
        for action in ("inserted", "updated", "deleted"):
            values[f"Rows.{table}.{action}"] = (getattr(merged, action) if merged else 0, "Count")
    values["RowsWritten"] = (sum(v for name, (v, _) in values.items() if name.startswith("Rows.")), "Count")
    metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in values.items()]
    line = {
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["environment"]], "Metrics": metrics}],
        },
        "environment": environment,
        "run_id": summary.run_id,
        **{name: value for name, (value, _) in values.items()},
    }
    print(json.dumps(line), file=sys.stdout, flush=True)  # noqa: T201  # a metric, not a log line
