locals {
  # What a person pastes to start a task by hand, in the same network and on the same capacity as the schedule.
  run_task = join(" ", [
    "aws ecs run-task --region ${var.region} --cluster ${aws_ecs_cluster.main.name} --count 1",
    "--capacity-provider-strategy capacityProvider=${local.capacity_provider},weight=1",
    "--network-configuration 'awsvpcConfiguration={subnets=[${join(",", local.task_subnet_ids)}],securityGroups=[${aws_security_group.task.id}],assignPublicIp=${local.task_public_ip ? "ENABLED" : "DISABLED"}}'",
  ])
  console_url = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}"
}

output "run_command" {
  description = "Starts a run by hand."
  value       = "${local.run_task} --task-definition ${aws_ecs_task_definition.run.family}"
}

output "verify_command" {
  description = "Starts a verification by hand."
  value       = "${local.run_task} --task-definition ${aws_ecs_task_definition.run.family} --overrides '${jsonencode({ containerOverrides = [{ name = local.container_name, command = ["verify"] }] })}'"
}

output "init_db_command" {
  description = "Makes the application's database user, or gives it its new password."
  value       = "${local.run_task} --task-definition ${aws_ecs_task_definition.init_db.family}"
}

output "log_command" {
  description = "Follows everything that tasks print."
  value       = "aws logs tail --region ${var.region} --follow ${aws_cloudwatch_log_group.task["console"].name}"
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
  description = "Where `make image-push` pushes."
  value       = aws_ecr_repository.main.repository_url
}

output "architecture" {
  description = "What `make image-push` builds for."
  value       = var.architecture
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

output "alerts_topic_arn" {
  description = "Where alarms are published."
  value       = aws_sns_topic.alerts.arn
}
