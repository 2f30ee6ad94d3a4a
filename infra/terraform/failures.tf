# A scheduled task is a success for Scheduler once it has been launched: what becomes of it is told by ECS's own events.

resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${local.name}-failed"
  description = "A task of ${local.name} did not start, or a container left with an exit code that means failure"

  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Task State Change"]
    detail = {
      clusterArn = [aws_ecs_cluster.main.arn]
      lastStatus = ["STOPPED"]
      # Any container's: one beside the program may be what failed. A container that never started has no exit code.
      "$or" = [
        { containers = { exitCode = [{ anything-but = [0, local.exit_lock_held] }] } },
        { stopCode = ["TaskFailedToStart"] },
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "failed" {
  for_each  = local.topics
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = each.key
  arn       = each.value

  # Only fields that every such event has, and none inside quotation marks: a reason may hold some itself.
  input_transformer {
    input_paths = {
      containers = "$.detail.containers"
      reason     = "$.detail.stoppedReason"
      stop_code  = "$.detail.stopCode"
      task       = "$.detail.taskArn"
    }
    # No heredoc: checkov reads no file that holds one with such a placeholder.
    input_template = join("\n", [
      "{",
      "  \"what\": \"A task of ${local.name} failed\",",
      "  \"whatToDo\": \"${var.runbook_url}#task-failed\",",
      "  \"itsLines\": \"log group ${aws_cloudwatch_log_group.task["console"].name}\",",
      "  \"stopCode\": <stop_code>,",
      "  \"reason\": <reason>,",
      "  \"containers\": <containers>,",
      "  \"task\": <task>",
      "}",
    ])
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  depends_on = [aws_sqs_queue_policy.undelivered]
}

moved {
  from = aws_cloudwatch_event_target.failed
  to   = aws_cloudwatch_event_target.failed["alerts"]
}

# What RDS itself has to say: failures, failovers, maintenance, storage. Backups, which are daily, it does not say.
resource "aws_db_event_subscription" "main" {
  for_each         = local.topics
  name             = "${local.name}-${each.key}"
  sns_topic        = each.value
  source_type      = "db-instance"
  source_ids       = [aws_db_instance.main.identifier]
  event_categories = ["availability", "deletion", "failover", "failure", "low storage", "maintenance", "notification", "recovery", "restoration"]
  depends_on       = [aws_sns_topic_policy.alerts]
}
