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
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = "alerts"
  arn       = aws_sns_topic.alerts.arn

  # Only fields that every such event has, and none inside quotation marks: a reason may hold some itself.
  input_transformer {
    input_paths = {
      containers = "$.detail.containers"
      reason     = "$.detail.stoppedReason"
      stop_code  = "$.detail.stopCode"
      task       = "$.detail.taskArn"
    }
    input_template = <<-T
      {
        "what": "A task of ${local.name} failed",
        "whatToDo": "${var.runbook_url}#task-failed",
        "itsLines": "log group ${aws_cloudwatch_log_group.task["console"].name}",
        "stopCode": <stop_code>,
        "reason": <reason>,
        "containers": <containers>,
        "task": <task>
      }
    T
  }
}
