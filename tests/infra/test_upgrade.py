"""The last release's environment, taken over by this one's code: what holds data stays, and the plan after it is quiet."""

from concurrent.futures import Future

import pytest
from environment import Upgraded
from test_made import FALSE_DIFFERENCES, differences

HOLDS_DATA = {
    "aws_db_instance", "aws_db_subnet_group", "aws_ecr_repository", "aws_s3_bucket", "aws_secretsmanager_secret",
    "aws_secretsmanager_secret_version", "aws_subnet", "aws_vpc", "aws_cloudwatch_log_group", "aws_sqs_queue", "aws_sns_topic",
}  # fmt: skip


@pytest.fixture(scope="module")
def upgraded(upgrading: "Future[Upgraded]") -> Upgraded:
    """What became of it."""
    return upgrading.result(1800)


def test_nothing_that_holds_data_is_made_anew_or_taken_away(upgraded: Upgraded) -> None:
    gone = {address for address, how in differences(upgraded.upgrade).items() if "delete" in how}
    assert {address for address in gone if address.split(".")[0] in HOLDS_DATA} == set()
    assert gone == {
        # names with a region, so that a second one's stack can stand beside
        "aws_iam_role.task", "aws_iam_role.execution", "aws_iam_role.init_db_execution", "aws_iam_role.scheduler",
        "aws_iam_role_policy.task", "aws_iam_role_policy.execution", "aws_iam_role_policy.init_db_execution",
        "aws_iam_role_policy.scheduler", "aws_cloudwatch_dashboard.main",
        # a new setting, a new policy: AWS replaces these whole
        "aws_ecs_task_definition.run", "aws_ecs_task_definition.init_db", "aws_ecr_lifecycle_policy.main",
        # the schedule is off
        'aws_cloudwatch_metric_alarm.main["no-success"]',
    }  # fmt: skip


def test_the_database_is_not_touched(upgraded: Upgraded) -> None:
    assert "aws_db_instance.main" not in differences(upgraded.upgrade)


def test_the_plan_after_it_changes_nothing(upgraded: Upgraded) -> None:
    assert differences(upgraded.again).items() <= FALSE_DIFFERENCES.items()


def test_another_environment_s_variables_are_refused_from_now_on(upgraded: Upgraded) -> None:
    """On the real state, by a plan that stops; not one resource of it would have stayed."""
    assert "This state is that of spacex-pipeline-dev" in " ".join(upgraded.refused.replace("│", " ").split())


def test_a_database_is_restored_by_the_runbook_s_steps(upgraded: Upgraded) -> None:
    """It has the name and the settings of the lost one, and a password of the master's own."""
    lost, restored = upgraded.before, upgraded.restored
    assert restored["InstanceCreateTime"] > lost["InstanceCreateTime"]
    assert restored["MasterUserSecret"]["SecretArn"] != lost["MasterUserSecret"]["SecretArn"]
    kept = (
        "DBInstanceIdentifier",
        "Endpoint",
        "DBName",
        "DBParameterGroups",
        "VpcSecurityGroups",
        "PubliclyAccessible",
        "StorageEncrypted",
    )
    assert {name: restored[name] for name in kept} == {name: lost[name] for name in kept}
    # The line may stay: the next plan does not look at it.
    assert "aws_db_instance.main" not in differences(upgraded.after_restore)
