"""What an apply really made, as the account's own API tells it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from environment import REPOSITORY, VARIABLES, Applied

# moto does not give back what it was given here. Nothing else may differ, and these in nothing else.
FALSE_DIFFERENCES = {
    'aws_db_parameter_group.main["mysql8.0"]': {"parameter"},
    'aws_db_parameter_group.main["mysql8.4"]': {"parameter"},
    "aws_vpc_security_group_egress_rule.task_to_database": {"description"},
    "aws_vpc_security_group_ingress_rule.database_from_task": {"description"},
}


def differences(plan: dict[str, Any]) -> dict[str, set[str]]:
    found = {}
    for resource in plan["resource_changes"]:
        change = resource["change"]
        if change["actions"] == ["update"]:
            found[resource["address"]] = {k for k, after in change["after"].items() if after != change["before"].get(k)}
        elif change["actions"] not in (["no-op"], ["read"]):
            found[resource["address"]] = set(change["actions"])
    return found


def test_a_second_plan_changes_nothing(applied: Applied) -> None:
    assert differences(applied.terraform.plan("second.plan", *VARIABLES, codes=(0, 2))) == FALSE_DIFFERENCES


def test_the_password_is_in_the_secret_alone(applied: Applied) -> None:
    secret = json.loads(
        applied.account.client("secretsmanager").get_secret_value(SecretId=f"{applied.name}/mysql")["SecretString"]
    )
    assert secret["username"] == "spacex_pipeline"
    assert len(secret["password"]) == 64
    assert secret["password"].isalnum()
    state = (applied.terraform.folder / "terraform.tfstate").read_text()
    assert secret["password"] not in state
    assert secret["password"] not in json.dumps(applied.plan)
    assert secret["password"] not in json.dumps(applied.outputs)


def test_a_raised_version_alone_changes_the_password(applied: Applied) -> None:
    """What the plan would do: moto need not do it."""
    found = differences(applied.terraform.plan("rotate.plan", *VARIABLES, "-var=db_password_version=2", codes=(2,)))
    assert found.keys() - FALSE_DIFFERENCES.keys() == {"aws_secretsmanager_secret_version.app"}


# --- the task --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["", "-init-db"])
def definition(request: pytest.FixtureRequest, applied: Applied) -> dict[str, Any]:
    """The definition of the program's task, and of init-db's."""
    family = f"{applied.name}{request.param}"
    return applied.account.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]  # type: ignore[no-any-return]


def test_the_container_is_confined(definition: dict[str, Any]) -> None:
    (container,) = definition["containerDefinitions"]
    assert container["user"] == "10001:10001"
    assert container["readonlyRootFilesystem"] is True
    assert container["linuxParameters"] == {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}}
    assert container["stopTimeout"] == 120
    assert container["mountPoints"] == [{"sourceVolume": "temp", "containerPath": "/tmp", "readOnly": False}]  # noqa: S108
    assert [v["name"] for v in definition["volumes"]] == ["temp"]
    assert container["image"].endswith(":0a1b2c3d4e5f")
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/spacex-pipeline/prod/console"
    assert definition["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    assert definition["networkMode"] == "awsvpc"


def test_secrets_name_their_key_and_nothing_secret_is_plain(definition: dict[str, Any]) -> None:
    (container,) = definition["containerDefinitions"]
    secrets = {s["name"]: s["valueFrom"] for s in container["secrets"]}
    assert all(arn.startswith("arn:aws:secretsmanager:") for arn in secrets.values())
    assert secrets["MYSQL_PASSWORD"].endswith(":password::")
    assert secrets["MYSQL_USER"].endswith(":username::")
    plain = {e["name"] for e in container["environment"]}
    assert not plain & secrets.keys()
    assert not {n for n in plain if "PASSWORD" in n or "TOKEN" in n or n.startswith("AWS_")}


def test_only_init_db_sees_the_master(applied: Applied) -> None:
    ecs, iam = applied.account.client("ecs"), applied.account.client("iam")
    master = applied.account.client("rds").describe_db_instances()["DBInstances"][0]["MasterUserSecret"]["SecretArn"]
    for suffix, sees in (("", False), ("-init-db", True)):
        task = ecs.describe_task_definition(taskDefinition=applied.name + suffix)["taskDefinition"]
        (container,) = task["containerDefinitions"]
        assert container["command"] == (["init-db"] if sees else ["run"])
        assert any(s["valueFrom"] == f"{master}:password::" for s in container["secrets"]) is sees
        role = task["executionRoleArn"].rpartition("/")[2]
        policy = iam.get_role_policy(RoleName=role, PolicyName="execution")["PolicyDocument"]
        assert (master in json.dumps(policy)) is sees
    assert "taskRoleArn" not in task, "init-db calls no AWS service"


# --- the schedule ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "expression"), [("run", "rate(1 hour)"), ("verify", "cron(40 5 * * ? *)")])
def test_the_schedule_starts_the_task(command: str, expression: str, applied: Applied) -> None:
    schedule = applied.account.client("scheduler").get_schedule(Name=f"{applied.name}-{command}", GroupName=applied.name)
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", expression)
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}
    target = schedule["Target"]
    assert json.loads(target["Input"]) == {"containerOverrides": [{"name": "pipeline", "command": [command]}]}
    assert target["Arn"].endswith(f":cluster/{applied.name}")
    assert target["RoleArn"].endswith(f":role/{applied.name}-us-east-1-scheduler")
    assert target["DeadLetterConfig"]["Arn"].endswith(f":{applied.name}-undelivered")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 1800, "MaximumRetryAttempts": 5}
    parameters = target["EcsParameters"]
    assert parameters["PropagateTags"] == "TASK_DEFINITION"
    newest = applied.account.client("ecs").describe_task_definition(taskDefinition=applied.name)["taskDefinition"]
    assert parameters["TaskDefinitionArn"] == newest["taskDefinitionArn"]
    assert [c["capacityProvider"] for c in parameters["CapacityProviderStrategy"]] == ["FARGATE"]
    network = {k.lower(): v for k, v in parameters["NetworkConfiguration"]["awsvpcConfiguration"].items()}
    assert network["assignpublicip"] == "DISABLED"
    private = applied.account.client("ec2").describe_subnets(SubnetIds=network["subnets"])["Subnets"]
    assert len({s["AvailabilityZone"] for s in private}) == 2


def test_the_schedule_s_role_starts_this_task_and_nothing_else(applied: Applied) -> None:
    iam = applied.account.client("iam")
    policy = iam.get_role_policy(RoleName=f"{applied.name}-us-east-1-scheduler", PolicyName="scheduler")["PolicyDocument"]
    statements = {s["Action"]: s for s in policy["Statement"]}
    assert statements.keys() == {"ecs:RunTask", "ecs:TagResource", "iam:PassRole", "sqs:SendMessage"}
    ours = "arn:aws:ecs:us-east-1:123456789012"
    assert statements["ecs:RunTask"]["Resource"] == f"{ours}:task-definition/{applied.name}:*"
    assert statements["ecs:RunTask"]["Condition"] == {"ArnEquals": {"ecs:cluster": f"{ours}:cluster/{applied.name}"}}
    assert statements["ecs:TagResource"]["Resource"] == f"{ours}:task/{applied.name}/*"
    assert statements["ecs:TagResource"]["Condition"] == {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    task = applied.account.client("ecs").describe_task_definition(taskDefinition=applied.name)["taskDefinition"]
    assert set(statements["iam:PassRole"]["Resource"]) == {task["taskRoleArn"], task["executionRoleArn"]}
    assert statements["iam:PassRole"]["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_the_schedule_s_call_is_one_that_ecs_takes(applied: Applied) -> None:
    """The very parameters of the schedule, which are those of `infra/task` too."""
    scheduled = applied.account.client("scheduler").get_schedule(Name=f"{applied.name}-run", GroupName=applied.name)
    parameters = scheduled["Target"]["EcsParameters"]
    network = {k.lower(): v for k, v in parameters["NetworkConfiguration"]["awsvpcConfiguration"].items()}
    by_hand = applied.outputs["task"]
    assert (sorted(by_hand["subnets"]), by_hand["security_groups"]) == (sorted(network["subnets"]), network["securitygroups"])
    assert (by_hand["cluster"], by_hand["definitions"]["run"]) == (applied.name, applied.name)
    ecs = applied.account.client("ecs")
    started = ecs.run_task(
        cluster=applied.name,
        taskDefinition=parameters["TaskDefinitionArn"],
        capacityProviderStrategy=[{"capacityProvider": c["capacityProvider"]} for c in parameters["CapacityProviderStrategy"]],
        networkConfiguration={
            "awsvpcConfiguration": {"subnets": network["subnets"], "securityGroups": network["securitygroups"]},
        },
    )
    assert not started["failures"]
    ecs.stop_task(cluster=applied.name, task=started["tasks"][0]["taskArn"])
    ec2 = applied.account.client("ec2")  # AWS takes the task's interface away with it; moto leaves it, and in use
    for interface in ec2.describe_network_interfaces()["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])


# --- the lake --------------------------------------------------------------------------------------------------------------


def test_the_bucket_keeps_and_hides(applied: Applied) -> None:
    s3, bucket = applied.account.client("s3"), applied.outputs["bucket"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (deny,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert (deny["Effect"], deny["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    with pytest.raises(ClientError, match="403"):  # the emulator is spoken to without TLS
        s3.put_object(Bucket=bucket, Key="launches/year=2020/launches.parquet", Body=b"")


def test_nothing_current_ever_expires(applied: Applied) -> None:
    rules = applied.account.client("s3").get_bucket_lifecycle_configuration(Bucket=applied.outputs["bucket"])["Rules"]
    raw, rest = sorted(rules, key=lambda r: r["ID"] != "raw-is-seldom-read")
    assert raw["Filter"]["Prefix"] == "raw/"
    assert [t["StorageClass"] for t in raw["Transitions"]] == ["STANDARD_IA"]
    assert "Expiration" not in raw
    assert rest["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90
    assert rest["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert not {"Days", "Date"} & rest["Expiration"].keys()


# --- the database ----------------------------------------------------------------------------------------------------------


def test_the_database_is_private_and_encrypted(applied: Applied) -> None:
    (database,) = applied.account.client("rds").describe_db_instances()["DBInstances"]
    assert (database["Engine"], database["EngineVersion"]) == ("mysql", "8.4")
    assert database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert database["MultiAZ"] is True
    assert database["StorageType"] == "gp3"
    assert database["BackupRetentionPeriod"] == 14
    assert database["MaxAllocatedStorage"] == 100
    assert database["AutoMinorVersionUpgrade"] is True
    assert database["DBParameterGroups"][0]["DBParameterGroupName"].startswith(f"{applied.name}-")


def test_the_parameters_are_set(applied: Applied) -> None:
    """As planned: moto does not keep them."""
    (group,) = [r for r in applied.plan["resource_changes"] if r["address"] == 'aws_db_parameter_group.main["mysql8.4"]']
    parameters = {p["name"]: p["value"] for p in group["change"]["after"]["parameter"]}
    assert (
        parameters.items()
        >= {
            "local_infile": "1",
            "require_secure_transport": "1",
            "character_set_server": "utf8mb4",
            "slow_query_log": "1",
        }.items()
    )
    assert {p["apply_method"] for p in group["change"]["after"]["parameter"]} == {"immediate"}  # each of them is dynamic
    assert group["change"]["after"]["family"] == "mysql8.4"


def test_only_tasks_reach_the_database(applied: Applied) -> None:
    ec2 = applied.account.client("ec2")
    groups = {
        g["GroupName"].removeprefix(f"{applied.name}-").split("-")[0]: g for g in ec2.describe_security_groups()["SecurityGroups"]
    }
    rules = {name: list(_rules(ec2, groups[name]["GroupId"])) for name in ("task", "database")}
    task, database = groups["task"]["GroupId"], groups["database"]["GroupId"]
    assert sorted(rules["task"]) == sorted([("out", 443, "0.0.0.0/0"), ("out", 3306, database)])
    assert rules["database"] == [("in", 3306, task)]


def _rules(ec2: Any, group: str) -> Iterator[tuple[str, int, str]]:
    for rule in ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]:
        peer = rule.get("CidrIpv4") or rule["ReferencedGroupInfo"]["GroupId"]
        assert rule["FromPort"] == rule["ToPort"]
        yield "out" if rule["IsEgress"] else "in", rule["FromPort"], peer


# --- Spark -----------------------------------------------------------------------------------------------------------------


def test_the_application_of_spark_is_bounded_and_in_the_tasks_network(applied: Applied) -> None:
    emr, spark, task = applied.account.client("emr-serverless"), applied.outputs["spark"], applied.outputs["task"]
    made = emr.get_application(applicationId=spark["application"])["application"]
    assert (made["name"], made["type"], made["releaseLabel"]) == (applied.name, "Spark", "emr-spark-8.0.0")
    assert made["architecture"] == "ARM64"
    assert made["autoStartConfiguration"] == {"enabled": True}
    assert made["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 1}
    assert made["maximumCapacity"] == {"cpu": "16 vCPU", "memory": "64 GB"}
    assert "initialCapacity" not in made
    network = made["networkConfiguration"]
    assert sorted(network["subnetIds"]) == sorted(task["subnets"])
    assert network["securityGroupIds"] == task["security_groups"]
    assert made["tags"]["environment"] == "prod"


def test_a_job_is_told_no_secret_and_the_settings_of_the_task(applied: Applied) -> None:
    task = applied.account.client("ecs").describe_task_definition(taskDefinition=applied.name)["taskDefinition"]
    (container,) = task["containerDefinitions"]
    environment = {e["name"]: e["value"] for e in container["environment"]}
    own = {"LOG_GROUP", "ICEBERG_CATALOG", "ICEBERG_DATABASE"}
    spark = applied.outputs["spark"]
    assert spark["environment"] == {n: v for n, v in environment.items() if n not in own} | {"STACK": f"{applied.name}-spark"}
    held = applied.account.client("secretsmanager").get_secret_value(SecretId=spark["secret"])["SecretString"]
    assert json.loads(held).keys() == {"username", "password"}  # as integrations/spark/replay.py reads it


# --- registry, logs, alarms ------------------------------------------------------------------------------------------------


def test_tags_in_the_registry_stay(applied: Applied) -> None:
    (repository,) = applied.account.client("ecr").describe_repositories()["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"]["scanOnPush"] is True
    assert repository["repositoryUri"] == applied.outputs["repository_url"]


def test_logs_do_not_stay_for_ever(applied: Applied) -> None:
    groups = applied.account.client("logs").describe_log_groups()["logGroups"]
    assert {g["logGroupName"]: g["retentionInDays"] for g in groups} == {
        "/spacex-pipeline/prod/run": 365,
        "/spacex-pipeline/prod/console": 365,
        "/spacex-pipeline/prod/spark": 365,
        f"/aws/rds/instance/{applied.name}/error": 365,
        f"/aws/rds/instance/{applied.name}/slowquery": 365,
    }


def test_every_alarm_is_heard_and_links_to_its_section(applied: Applied) -> None:
    alarms = {
        a["AlarmName"].removeprefix(f"{applied.name}-"): a
        for a in applied.account.client("cloudwatch").describe_alarms()["MetricAlarms"]
    }
    assert alarms.keys() == {
        "no-success", "no-verify", "stores-disagree", "rejected", "stale", "undelivered", "start-lost", "rule-failed",
        "mail-failed", "database-storage", "database-cpu", "database-connections",
    }  # fmt: skip
    for name, alarm in alarms.items():
        assert alarm["AlarmDescription"].endswith(f" docs/runbook.md#{name}")
        assert alarm["AlarmActions"] == alarm["OKActions"] == applied.outputs["alert_topic_arns"]
        assert alarm["ActionsEnabled"] is True
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= 7 * 86_400
    silent = {name for name, alarm in alarms.items() if alarm["TreatMissingData"] == "breaching"}
    assert silent == {"no-success", "no-verify"}
    ours = [{"Name": "stack", "Value": applied.name}]
    assert {name for name, alarm in alarms.items() if alarm["Dimensions"] == ours} == {
        "no-success", "no-verify", "stores-disagree", "rejected", "stale",
    }  # fmt: skip
    assert (alarms["no-success"]["Period"], alarms["no-success"]["EvaluationPeriods"]) == (3600, 4)
    sections = set(re.findall(r"^### ([a-z-]+)$", (REPOSITORY / "docs/runbook.md").read_text(), re.MULTILINE))
    assert sections == alarms.keys() | {"task-failed", "stale"}


def test_alarms_and_the_rule_may_publish_and_somebody_listens(applied: Applied) -> None:
    sns, (topic,) = applied.account.client("sns"), applied.outputs["alert_topic_arns"]
    statements = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]
    conditions = {s["Principal"]["Service"]: s.get("Condition") for s in statements}
    assert conditions == {
        "cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        "events.rds.amazonaws.com": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        "events.amazonaws.com": None,  # a condition on the way from EventBridge to SNS is never met
    }
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.org")
    (target,) = applied.account.client("events").list_targets_by_rule(Rule=f"{applied.name}-failed")["Targets"]
    assert target["Arn"] == topic
    template = target["InputTransformer"]["InputTemplate"]
    filled = json.loads(re.sub(r"<\w+>", '"x"', template))
    assert filled["whatToDo"].endswith("#task-failed")
    assert set(re.findall(r"<(\w+)>", template)) == target["InputTransformer"]["InputPathsMap"].keys()


def test_what_can_not_be_delivered_is_kept_and_rings(applied: Applied) -> None:
    account = applied.account
    sqs, sns = account.client("sqs"), account.client("sns")
    url = sqs.get_queue_url(QueueName=f"{applied.name}-undelivered")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    queue = attributes["QueueArn"]
    (topic,) = applied.outputs["alert_topic_arns"]
    rule = account.client("events").describe_rule(Name=f"{applied.name}-failed")["Arn"]
    may_send = {
        s["Principal"]["Service"]: s["Condition"]["ArnEquals"]["aws:SourceArn"]
        for s in json.loads(attributes["Policy"])["Statement"]
    }
    assert may_send == {"events.amazonaws.com": rule, "sns.amazonaws.com": topic}
    (target,) = account.client("events").list_targets_by_rule(Rule=f"{applied.name}-failed")["Targets"]
    assert target["DeadLetterConfig"]["Arn"] == queue
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    redrive = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])["Attributes"]["RedrivePolicy"]
    assert json.loads(redrive)["deadLetterTargetArn"] == queue
    watched = {a["AlarmName"]: a for a in account.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    found = {
        name: (watched[f"{applied.name}-{name}"]["MetricName"], watched[f"{applied.name}-{name}"]["Dimensions"][0]["Value"])
        for name in ("undelivered", "start-lost", "rule-failed", "mail-failed")
    }
    assert found == {
        "undelivered": ("ApproximateNumberOfMessagesVisible", f"{applied.name}-undelivered"),
        "start-lost": ("InvocationsFailedToBeSentToDeadLetterCount", applied.name),
        "rule-failed": ("FailedInvocations", f"{applied.name}-failed"),
        "mail-failed": ("NumberOfNotificationsFailed", topic.rpartition(":")[2]),
    }


def test_what_the_database_has_to_say_is_heard(applied: Applied) -> None:
    (subscription,) = applied.account.client("rds").describe_event_subscriptions()["EventSubscriptionsList"]
    assert subscription["SnsTopicArn"] in applied.outputs["alert_topic_arns"]
    assert subscription["SourceIdsList"] == [applied.name]
    assert {"failure", "low storage", "failover", "maintenance"} <= set(subscription["EventCategoriesList"])
    assert "backup" not in subscription["EventCategoriesList"]  # every day


def test_the_dashboard_shows_our_metrics(applied: Applied) -> None:
    body = applied.account.client("cloudwatch").get_dashboard(DashboardName=f"{applied.name}-us-east-1")["DashboardBody"]
    for metric in ("Success", "StoresEqual", "Rejected", "DataAgeDays", "RowsWritten", "StageSeconds"):
        assert metric in body
    titles = [w["properties"]["title"] for w in json.loads(body)["widgets"]]
    assert {t.split(":")[0] for t in titles} == {"Fresh", "Complete", "Cheap", "Alarms"}


# --- roles -----------------------------------------------------------------------------------------------------------------


def findings(policy: dict[str, Any]) -> str:
    """What parliament says of a policy; a program apart, since importing it warns of its own age."""
    command = [str(Path(sys.executable).with_name("parliament")), "--string", json.dumps(policy)]
    done = subprocess.run([sys.executable, "-W", "ignore", *command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_policies_are_sound_and_narrow(applied: Applied) -> None:
    """parliament finds nothing, and a star stands alone only where AWS knows no resource."""
    iam, wide = applied.account.client("iam"), []
    (application,) = applied.account.client("emr-serverless").list_applications()["applications"]
    for role in iam.list_roles()["Roles"]:
        of_spark = {"ArnLike": {"aws:SourceArn": f"{application['arn']}*"}} if role["RoleName"].endswith("-spark") else {}
        assert role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            **of_spark,
        }
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
            assert findings(document) == ""
            for statement in document["Statement"]:
                actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
                assert not [a for a in actions if "*" in a]
                if statement["Resource"] == "*":
                    wide += actions
        assert not iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert set(wide) == {"ecr:GetAuthorizationToken", "logs:DescribeLogGroups"}


def test_everything_is_tagged(applied: Applied) -> None:
    for resource in applied.plan["resource_changes"]:
        tags = (resource["change"]["after"] or {}).get("tags_all")
        if tags is not None:
            assert tags.items() >= {"project": "spacex-pipeline", "environment": "prod", "managed_by": "terraform"}.items()
