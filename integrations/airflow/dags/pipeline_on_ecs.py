"""Airflow starts the task that Terraform made on ECS, in the place of EventBridge; it needs no more than the right to do so.

With `default_deferrable` (section `operators` of Airflow's configuration) no worker waits for it.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator
from airflow.sdk.exceptions import AirflowException
from pipeline_schedule import end_by, make_dags

# As Terraform made it; its output `run_command` shows each of these.
NAME = os.environ.get("PIPELINE_NAME", "spacex-pipeline-dev")  # cluster and task definition
PROJECT, _, ENVIRONMENT = NAME.rpartition("-")
REGION = os.environ.get("PIPELINE_REGION", "us-east-1")
SUBNETS = os.environ.get("PIPELINE_SUBNETS", "subnet-1").split(",")
SECURITY_GROUP = os.environ.get("PIPELINE_SECURITY_GROUP", "sg-1")
PUBLIC_IP = os.environ.get("PIPELINE_PUBLIC_IP", "ENABLED")
CAPACITY = os.environ.get("PIPELINE_CAPACITY", "FARGATE_SPOT")
CONTAINER = "pipeline"


class PipelineTaskOperator(EcsRunTaskOperator):
    """Runs one of the program's commands on ECS, and ends as its exit code says."""

    def __init__(self, *, arguments: Sequence[str], **options: Any) -> None:
        super().__init__(
            cluster=NAME,
            task_definition=NAME,
            region_name=REGION,
            capacity_provider_strategy=[{"capacityProvider": CAPACITY, "weight": 1}],
            network_configuration={
                "awsvpcConfiguration": {"subnets": SUBNETS, "securityGroups": [SECURITY_GROUP], "assignPublicIp": PUBLIC_IP}
            },
            overrides={"containerOverrides": [{"name": CONTAINER, "command": list(arguments)}]},
            container_name=CONTAINER,
            awslogs_group=f"/{PROJECT}/{ENVIRONMENT}/console",
            awslogs_region=REGION,
            awslogs_stream_prefix="task",
            awslogs_fetch_interval=timedelta(seconds=5),
            reattach=True,  # a worker that comes back finds the task that runs
            **options,
        )

    def execute(self, context: Any) -> Any:
        """Start the task, and wait for it unless Airflow is to do that."""
        return self._ended(super().execute, context)

    def execute_complete(self, context: Any, event: dict[str, Any] | None = None) -> Any:
        """Go on where Airflow has waited."""
        return self._ended(super().execute_complete, context, event)

    def _ended(self, execute: Any, *arguments: Any) -> Any:
        """What a method of Amazon's operator gives; where it fails for a container's exit code, what that code asks for."""
        try:
            return execute(*arguments)
        except AirflowException as error:
            tasks = self.client.describe_tasks(cluster=self.cluster, tasks=[self.arn])["tasks"] if self.arn else []
            for container in (container for task in tasks for container in task["containers"]):
                end_by(container.get("exitCode", 0), str(error))
            raise  # it did not get as far as an exit code


run, verify, replay = make_dags("ecs", PipelineTaskOperator)
