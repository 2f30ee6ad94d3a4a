locals {
  hour     = 3600
  database = { DBInstanceIdentifier = aws_db_instance.main.identifier }

  # Two days' verifications, or as far as CloudWatch looks back.
  verified_within_hours = min(168, 2 * local.least_hours.verify)

  # The key is the section of the runbook. Unless said otherwise: one period decides, and missing data is no alarm.
  alarms = merge(
    # Only while the schedule is on: nobody expects success before. Made with its actions switched off instead, it would stand in
    # alarm from the first hour, and never ring: actions are taken when a state changes.
    var.schedule_enabled ? {
      no-success = {
        description = "No run has succeeded for ${var.success_within_hours} hours."
        metric      = local.metrics.success, statistic = "Sum", comparison = "LessThanThreshold", threshold = 1
        periods     = var.success_within_hours, missing = "breaching" # a job that does not even start sends nothing
      }
      no-verify = {
        description = "No verification has succeeded for ${local.verified_within_hours} hours."
        metric      = local.metrics.verified, statistic = "Sum", comparison = "LessThanThreshold", threshold = 1
        periods     = local.verified_within_hours, missing = "breaching"
      }
    } : {},
    local.make_topic ? {
      mail-failed = {
        description = "An alert did not reach its receivers."
        namespace   = "AWS/SNS", dimensions = { TopicName = aws_sns_topic.alerts[0].name }, period = 300
        metric      = "NumberOfNotificationsFailed", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0
      }
    } : {},
    {
      stores-disagree = {
        description = "S3 and MySQL do not hold the same rows."
        metric      = local.metrics.stores_equal, statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1
      }
      rejected = {
        description = "A run rejected more than ${var.rejected_limit} launches."
        metric      = local.metrics.rejected, statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = var.rejected_limit
      }
      undelivered = {
        description = "A start, an event or a mail could not be delivered; the queue holds it."
        namespace   = "AWS/SQS", dimensions = { QueueName = aws_sqs_queue.undelivered.name }, period = 300
        metric      = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 0
      }
      start-lost = {
        description = "Scheduler could not start a task, nor put that into the queue."
        namespace   = "AWS/Scheduler", dimensions = { ScheduleGroup = aws_scheduler_schedule_group.main.name }, period = 300
        metric      = "InvocationsFailedToBeSentToDeadLetterCount", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0
      }
      rule-failed = {
        description = "A failed task could not be told of."
        namespace   = "AWS/Events", dimensions = { RuleName = aws_cloudwatch_event_rule.failed.name }, period = 300
        metric      = "FailedInvocations", statistic = "Sum", comparison = "GreaterThanThreshold", threshold = 0
      }
      database-storage = {
        description = "The database has less than 2 GiB left, and growing by itself has not helped."
        namespace   = "AWS/RDS", dimensions = local.database, period = 300, periods = 3
        metric      = "FreeStorageSpace", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 2147483648
      }
      database-cpu = {
        description = "The database has been above 90 % CPU for half an hour."
        namespace   = "AWS/RDS", dimensions = local.database, period = 300, periods = 6
        metric      = "CPUUtilization", statistic = "Average", comparison = "GreaterThanThreshold", threshold = 90
      }
      database-connections = {
        description = "The database has more than ${var.db_connections_limit} connections; a run holds one or two."
        namespace   = "AWS/RDS", dimensions = local.database, period = 300, periods = 3
        metric      = "DatabaseConnections", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = var.db_connections_limit
      }
    },
    local.source_is_alive ? {
      stale = {
        description = "The newest past launch is older than ${var.stale_after_days} days."
        metric      = local.metrics.data_age_days, statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = var.stale_after_days
      }
    } : {},
  )
}

resource "aws_cloudwatch_metric_alarm" "main" {
  for_each            = local.alarms
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "${each.value.description} ${var.runbook_url}#${each.key}"
  namespace           = try(each.value.namespace, local.metric_namespace)
  metric_name         = each.value.metric
  dimensions          = try(each.value.dimensions, local.metric_dimensions)
  statistic           = each.value.statistic
  period              = try(each.value.period, local.hour)
  evaluation_periods  = try(each.value.periods, 1)
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = try(each.value.missing, "notBreaching")
  actions_enabled     = true
  alarm_actions       = values(local.topics)
  ok_actions          = values(local.topics)

  lifecycle {
    precondition {
      condition     = local.least_hours.verify <= 168
      error_message = "CloudWatch looks back seven days at most: a verification less often than every six days could not be watched."
    }
  }
}
