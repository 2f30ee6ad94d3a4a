"""The last release's environment, taken over by this one's code: what holds data stays, and the plan after it is quiet."""

import shutil
from datetime import datetime
from typing import Any

import pytest
from environment import Upgrading
from test_made import FALSE_DIFFERENCES, _differences

HOLDS_DATA = {
    "aws_db_instance", "aws_db_subnet_group", "aws_ecr_repository", "aws_s3_bucket", "aws_secretsmanager_secret",
    "aws_secretsmanager_secret_version", "aws_subnet", "aws_vpc", "aws_cloudwatch_log_group", "aws_sqs_queue", "aws_sns_topic",
}  # fmt: skip
VARIABLES = ["-var-file=env/dev.tfvars"]


@pytest.fixture(scope="module")
def upgraded(upgrading: Upgrading) -> dict[str, set[str]]:
    """What the upgrade's plan changes, by address; it is applied."""
    upgrading.background.output()
    shutil.copy(upgrading.before.folder / "terraform.tfstate", upgrading.after.folder)
    changes = _differences(upgrading.after.plan("upgrade.plan", *VARIABLES, codes=(2,)))
    upgrading.after("apply", "-input=false", "-parallelism=20", "upgrade.plan")
    return changes


def test_nothing_that_holds_data_is_made_anew_or_taken_away(upgraded: dict[str, set[str]]) -> None:
    gone = {address for address, how in upgraded.items() if "delete" in how}
    assert {address for address in gone if address.split(".")[0] in HOLDS_DATA} == set()
    assert gone == {
        # names with a region, so that a second one's stack can stand beside
        "aws_iam_role.task", "aws_iam_role.execution", "aws_iam_role.init_db_execution", "aws_iam_role.scheduler",
        "aws_iam_role_policy.task", "aws_iam_role_policy.execution", "aws_iam_role_policy.init_db_execution",
        "aws_iam_role_policy.scheduler", "aws_cloudwatch_dashboard.main",
        # a new setting
        "aws_ecs_task_definition.run", "aws_ecs_task_definition.init_db",
        # the schedule is off
        'aws_cloudwatch_metric_alarm.main["no-success"]',
    }  # fmt: skip


def test_the_database_is_changed_in_nothing_that_restarts_it(upgraded: dict[str, set[str]]) -> None:
    assert upgraded.get("aws_db_instance.main", set()) <= {"apply_immediately"}


def test_the_plan_after_it_changes_nothing(upgraded: dict[str, set[str]], upgrading: Upgrading) -> None:
    assert _differences(upgrading.after.plan("again.plan", *VARIABLES, codes=(0, 2))) == FALSE_DIFFERENCES


def test_another_environment_s_variables_are_refused_from_now_on(upgraded: dict[str, set[str]], upgrading: Upgrading) -> None:
    """On the real state, by a plan that stops; not one resource of it would have stayed."""
    refused = upgrading.after("plan", "-input=false", "-no-color", "-var-file=env/prod.tfvars", codes=(1,))
    assert "This state is that of spacex-pipeline-dev" in " ".join(refused.stderr.replace("│", " ").split())


# --- the runbook's restore, step by step --------------------------------------------------------------------------------------


def _instances(upgrading: Upgrading) -> dict[str, dict[str, Any]]:
    found = upgrading.account.client("rds").describe_db_instances()["DBInstances"]
    return {instance["DBInstanceIdentifier"]: instance for instance in found}


@pytest.mark.parametrize("source", ["snapshot", "instance"])
def test_a_database_is_restored(source: str, upgraded: dict[str, set[str]], upgrading: Upgrading) -> None:
    """From a snapshot, and from a point in time: the new instance has the name, the settings and a new password of the master."""
    rds, name, damaged = upgrading.account.client("rds"), "spacex-pipeline-dev", f"spacex-pipeline-dev-damaged-by-{source}"
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"before-{source}")
    rds.modify_db_instance(DBInstanceIdentifier=name, NewDBInstanceIdentifier=damaged, ApplyImmediately=True)
    upgrading.after("state", "rm", "aws_db_instance.main")
    restore = {"snapshot": f'{{snapshot="before-{source}"}}', "instance": f'{{instance="{damaged}"}}'}[source]
    options = ("-auto-approve", "-input=false", "-parallelism=20", *VARIABLES, f"-var=db_restore={restore}")
    upgrading.after("apply", *options)
    found = _instances(upgrading)
    assert {name, damaged} <= found.keys()
    restored = found[name]
    assert isinstance(restored["InstanceCreateTime"], datetime)
    assert restored["MasterUserSecret"]["SecretArn"] != found[damaged].get("MasterUserSecret", {}).get("SecretArn")
    assert restored["DBParameterGroups"][0]["DBParameterGroupName"].startswith(f"{name}-")
    assert restored["PubliclyAccessible"] is False
    # The line may stay: the next plan does not look at it.
    again = upgrading.after.plan("restored.plan", *VARIABLES, f"-var=db_restore={restore}", codes=(0, 2))
    assert "aws_db_instance.main" not in {a for a, how in _differences(again).items() if "delete" in how}
