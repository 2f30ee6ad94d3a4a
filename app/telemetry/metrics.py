"""One line of metrics at the end, in CloudWatch's embedded metric format."""

import json
import sys
from datetime import datetime

from app.core.model import RunReport
from app.core.schema import TABLES

NAMESPACE = "SpacexPipeline"


def print_metrics(report: RunReport, environment: str, now: datetime, *, of_run: bool) -> None:
    """One line in the embedded metric format, which CloudWatch turns into metrics; on stdout, where the awslogs driver reads.

    Success is of runs alone: an alarm waits for the next one, and no other command may quiet it.
    """
    age = (now - report.newest_launch_utc).total_seconds() / 86_400 if report.newest_launch_utc else None
    values: dict[str, tuple[float, str]] = {
        **({"Success": (float(report.state in ("published", "unchanged")), "None")} if of_run else {}),
        "Rejected": (report.rejected, "Count"),
        **({"StoresEqual": (float(report.stores_equal), "None")} if report.stores_equal is not None else {}),
        **({"DataAgeDays": (round(age, 3), "None")} if age is not None else {}),
        **{f"StageSeconds.{name}": (round(s, 3), "Seconds") for name, s in report.stage_seconds.items()},
    }
    for table in TABLES:
        merged = report.merged.get(table)
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
        "run_id": report.run_id,
        **{name: value for name, (value, _) in values.items()},
    }
    print(json.dumps(line), file=sys.stdout, flush=True)  # noqa: T201  # a metric, not a log line
