locals {
  capacity_provider = var.spot ? "FARGATE_SPOT" : "FARGATE"
  schedules = merge({
    run    = { command = ["run"], description = "Extract, publish, prove" }
    verify = { command = ["verify"], description = "Prove everything that the stores hold" }
    }, var.enable_iceberg ? {
    maintain = { command = ["maintain"], description = "Take away old Iceberg snapshots and files that none names" }
  } : {})
}

resource "aws_scheduler_schedule_group" "main" {
  name = local.name
}

resource "aws_scheduler_schedule" "main" {
  # checkov:skip=CKV_AWS_297: its input is the name of a command; AWS's own key is enough
  for_each                     = local.schedules
  name                         = "${local.name}-${each.key}"
  group_name                   = aws_scheduler_schedule_group.main.name
  description                  = each.value.description
  state                        = var.schedule_enabled ? "ENABLED" : "DISABLED"
  schedule_expression          = var.schedule_expressions[each.key]
  schedule_expression_timezone = var.schedule_timezone

  flexible_time_window {
    mode                      = var.flexible_window_minutes == 0 ? "OFF" : "FLEXIBLE"
    maximum_window_in_minutes = var.flexible_window_minutes == 0 ? null : var.flexible_window_minutes
  }

  target {
    arn      = aws_ecs_cluster.main.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ containerOverrides = [{ name = local.container_name, command = each.value.command }] })

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.run.arn
      task_count          = 1
      propagate_tags      = "TASK_DEFINITION"
      platform_version    = "LATEST"

      capacity_provider_strategy {
        capacity_provider = local.capacity_provider
        base              = 0
        weight            = 1
      }

      network_configuration {
        subnets          = local.task_subnet_ids
        security_groups  = local.task_security_group_ids
        assign_public_ip = local.task_public_ip
      }
    }

    retry_policy { # of the delivery; a run that fails is retried by the next run
      maximum_retry_attempts       = 5
      maximum_event_age_in_seconds = 1800
    }

    dead_letter_config {
      arn = aws_sqs_queue.undelivered.arn
    }
  }

  depends_on = [aws_ecs_cluster_capacity_providers.main, aws_iam_role_policy.scheduler]
}
