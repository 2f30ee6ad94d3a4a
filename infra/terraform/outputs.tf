locals {
  # Each partition has its own.
  consoles    = { aws = "console.aws.amazon.com", aws-cn = "console.amazonaws.cn", aws-us-gov = "console.amazonaws-us-gov.com" }
  console_url = "https://${var.region}.${local.consoles[local.partition]}/cloudwatch/home?region=${var.region}"
}

output "task" {
  description = "What `infra/task` starts a task with: the network and capacity of the schedule."
  value = {
    region          = var.region
    cluster         = aws_ecs_cluster.main.name
    container       = local.container_name
    capacity        = local.capacity_provider
    log_group       = aws_cloudwatch_log_group.task["console"].name
    log_stream      = "${local.container.logConfiguration.options.awslogs-stream-prefix}/${local.container_name}"
    subnets         = local.task_subnet_ids
    security_groups = local.task_security_group_ids
    public_ip       = local.task_public_ip
    definitions     = { run = aws_ecs_task_definition.run.family, init-db = aws_ecs_task_definition.init_db.family }
  }
}

output "image" {
  description = "The image that tasks run."
  value       = local.image
}

output "log_url" {
  description = "The run log in the console, one stream a run."
  value       = "${local.console_url}#logsV2:log-groups/log-group/${replace(aws_cloudwatch_log_group.task["run"].name, "/", "$252F")}"
}

output "dashboard_url" {
  description = "The dashboard in the console."
  value       = "${local.console_url}#dashboards/dashboard/${aws_cloudwatch_dashboard.main.dashboard_name}"
}

output "repository_url" {
  description = "The environment's own registry, for image_tag."
  value       = aws_ecr_repository.main.repository_url
}

output "region" {
  description = "The region of all this."
  value       = var.region
}

output "bucket" {
  description = "The lake."
  value       = aws_s3_bucket.lake.id
}

output "database_address" {
  description = "The database's name; only tasks reach it."
  value       = aws_db_instance.main.address
}

output "alert_topic_arns" {
  description = "Where alarms are published."
  value       = values(local.topics)
}
