resource "aws_sns_topic" "alerts" {
  # checkov:skip=CKV_AWS_26: alarms can't publish to a topic under AWS's own key, and their texts are no secret
  name = "${local.name}-alerts"
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    # No condition: EventBridge sends no account or ARN along to SNS, so that any would refuse it, in silence.
    sid       = "Rules"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = var.alert_emails
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  hour     = 3600
  database = { DBInstanceIdentifier = aws_db_instance.main.identifier }

  # The key is the section of the runbook. Unless said otherwise: one period decides, and missing data is no alarm.
  alarms = merge(
    {
      no-success = {
        description = "No run has succeeded for ${var.success_within_hours} hours."
        metric      = local.metrics.success, statistic = "Sum", comparison = "LessThanThreshold", threshold = 1
        periods     = var.success_within_hours, missing = "breaching" # a job that does not even start sends nothing
        actions     = var.schedule_enabled                            # nobody expects success while the schedule is off
      }
      stores-disagree = {
        description = "S3 and MySQL do not hold the same rows."
        metric      = local.metrics.stores_equal, statistic = "Minimum", comparison = "LessThanThreshold", threshold = 1
      }
      rejected = {
        description = "A run rejected more than ${var.rejected_limit} launches."
        metric      = local.metrics.rejected, statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = var.rejected_limit
      }
      undelivered = {
        description = "Scheduler could not start a task; the queue holds what it tried."
        namespace   = "AWS/SQS", dimensions = { QueueName = aws_sqs_queue.undelivered.name }, period = 300
        metric      = "ApproximateNumberOfMessagesVisible", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 0
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
  # checkov:skip=CKV_AWS_319: actions are on, but for no-success while the schedule is off
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
  actions_enabled     = try(each.value.actions, true)
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}
