"""Everything of the kinds that we make, so that what is left after `destroy` shows."""

from collections.abc import Callable
from typing import Any

from servers import Account


def _names(client: Any, operation: str, answer: str, name: str | None) -> list[str]:
    found = getattr(client, operation)().get(answer) or []
    return sorted(str(item[name]) if name else str(item) for item in found)


_KINDS: list[tuple[str, str, str, str | None]] = [
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "PublicIp"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ("rds", "describe_event_subscriptions", "EventSubscriptionsList", "CustSubscriptionId"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("emr-serverless", "list_applications", "applications", "name"),
    ("ecs", "list_task_definitions", "taskDefinitionArns", None),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("events", "list_rules", "Rules", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("iam", "list_roles", "Roles", "RoleName"),
]


def inventory(account: Account) -> dict[str, list[str]]:
    """The names of all there is, by kind."""
    found = {f"{service} {answer}": _names(account.client(service), op, answer, name) for service, op, answer, name in _KINDS}
    ec2 = account.client("ec2")
    living: Callable[[dict[str, Any]], bool] = lambda item: item["State"] not in ("deleted", "deleting")  # noqa: E731
    ecs = account.client("ecs")
    clusters = ecs.describe_clusters(clusters=ecs.list_clusters()["clusterArns"])["clusters"]
    nats, endpoints = ec2.describe_nat_gateways()["NatGateways"], ec2.describe_vpc_endpoints()["VpcEndpoints"]
    return found | {
        "ecs clusters": [c["clusterName"] for c in clusters if c["status"] != "INACTIVE"],  # how ECS deletes one
        "ec2 NatGateways": sorted(n["NatGatewayId"] for n in nats if living(n)),
        "ec2 VpcEndpoints": sorted(e["VpcEndpointId"] for e in endpoints if living(e)),
    }
