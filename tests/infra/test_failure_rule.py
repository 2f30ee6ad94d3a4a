"""The failure rule's pattern on events as ECS sends them, judged by LocalStack: moto does not look into arrays of objects."""

import json
from typing import Any

import pytest
from environment import Applied

ARN = "arn:aws:ecs:us-east-1:123456789012"


def container(name: str, exit_code: int | None, reason: str | None = None) -> dict[str, Any]:
    """One container as the event has it; one that never ran has no exit code."""
    return {
        "containerArn": f"{ARN}:container/prod/0123/{name}",
        "lastStatus": "STOPPED",
        "name": name,
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/spacex-pipeline-prod:0a1b2c3d4e5f",
        "runtimeId": f"0123-{name}",
        "taskArn": f"{ARN}:task/spacex-pipeline-prod/0123",
        "networkInterfaces": [{"attachmentId": "a-1", "privateIpv4Address": "10.40.2.17"}],
        "cpu": "0",
        **({} if exit_code is None else {"exitCode": exit_code}),
        **({} if reason is None else {"reason": reason}),
    }


def event(cluster: str, stop_code: str | None, *containers: dict[str, Any], status: str = "STOPPED") -> dict[str, Any]:
    """A task's change of state."""
    return {
        "version": "0",
        "id": "9bcdac79-b31f-4d3d-9410-fbd727c29fab",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": "123456789012",
        "time": "2026-01-06T16:41:06Z",
        "region": "us-east-1",
        "resources": [f"{ARN}:task/spacex-pipeline-prod/0123"],
        "detail": {
            "attachments": [{"id": "a-1", "type": "eni", "status": "DELETED", "details": []}],
            "availabilityZone": "us-east-1a",
            "clusterArn": cluster,
            "containers": list(containers),
            "cpu": "512",
            "memory": "2048",
            "createdAt": "2026-01-06T16:40:00Z",
            "desiredStatus": "STOPPED",
            "group": "family:spacex-pipeline-prod",
            "lastStatus": status,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            **({} if stop_code is None else {"stopCode": stop_code, "stoppedAt": "2026-01-06T16:41:06Z"}),
            "stoppedReason": "Essential container in task exited",
            "taskArn": f"{ARN}:task/spacex-pipeline-prod/0123",
            "taskDefinitionArn": f"{ARN}:task-definition/spacex-pipeline-prod:7",
            "version": 5,
        },
    }


OURS = f"{ARN}:cluster/spacex-pipeline-prod"
ENDED = "EssentialContainerExited"
PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found"
CASES = {
    "a good run": (event(OURS, ENDED, container("pipeline", 0)), False),
    "another run holds the lock": (event(OURS, ENDED, container("pipeline", 7)), False),
    "a fault of the program": (event(OURS, ENDED, container("pipeline", 1)), True),
    "the stores disagree": (event(OURS, ENDED, container("pipeline", 8)), True),
    "stopped": (event(OURS, "UserInitiated", container("pipeline", 143)), True),
    "taken away by Spot": (event(OURS, "SpotInterruption", container("pipeline", 143)), True),
    "out of memory": (event(OURS, ENDED, container("pipeline", 137, "OutOfMemoryError: container killed")), True),
    "a side container killed": (event(OURS, ENDED, container("pipeline", 0), container("agent", 137)), True),
    "a side container killed, told first": (event(OURS, ENDED, container("agent", 137), container("pipeline", 0)), True),
    "both containers good": (event(OURS, ENDED, container("pipeline", 0), container("agent", 0)), False),
    "lock held, side container good": (event(OURS, ENDED, container("pipeline", 7), container("agent", 0)), False),
    "the image can't be pulled": (event(OURS, "TaskFailedToStart", container("pipeline", None, PULL)), True),
    "a secret can't be fetched": (
        event(OURS, "TaskFailedToStart", container("pipeline", None, "ResourceInitializationError")),
        True,
    ),
    "no container at all": (event(OURS, "TaskFailedToStart"), True),
    "running": (event(OURS, None, container("pipeline", None), status="RUNNING"), False),
    "a side container gone, the task not yet": (event(OURS, None, container("agent", 1), status="DEPROVISIONING"), False),
    "somebody else's": (event(f"{ARN}:cluster/other", ENDED, container("pipeline", 1)), False),
}


@pytest.mark.parametrize("case", CASES)
def test_failures_are_told_and_nothing_else(case: str, applied: Applied, localstack: Any) -> None:
    pattern = applied.account.client("events").describe_rule(Name=f"{applied.name}-failed")["EventPattern"]
    told, expected = CASES[case]
    answer = localstack.test_event_pattern(EventPattern=pattern, Event=json.dumps(told))
    assert answer["Result"] is expected
