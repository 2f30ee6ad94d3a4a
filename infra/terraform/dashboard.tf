# Is the data fresh, complete, and cheap? One row each.

locals {
  hourly = { region = var.region, period = local.hour, view = "timeSeries", stacked = false }
  metric = { for k, name in local.metrics : k => [local.metric_namespace, name, "stack", local.name] }

  widgets = [
    { title = "Fresh: did a run succeed this hour", metrics = [local.metric.success], stat = "Sum" },
    { title = "Fresh: days since the newest past launch", metrics = [local.metric.data_age_days], stat = "Maximum" },
    { title = "Fresh: what could not be delivered", metrics = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.undelivered.name]], stat = "Maximum" },
    { title = "Complete: stores equal, verified", metrics = [local.metric.stores_equal, local.metric.verified], stat = "Minimum" },
    { title = "Complete: launches rejected", metrics = [local.metric.rejected], stat = "Maximum" },
    { title = "Complete: rows written", metrics = [local.metric.rows_written], stat = "Sum" },
    # One metric a stage may exist beside the total; the search finds all whose name begins so.
    { title = "Cheap: seconds by stage", stat = "Maximum", metrics = [[{
      expression = "SEARCH('{${local.metric_namespace},stack} ${local.metrics.stage_seconds} stack=\"${local.name}\"', 'Maximum', ${local.hour})"
    }]] },
    { title = "Cheap: database CPU and connections", stat = "Average", metrics = [
      ["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", local.name],
      ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", local.name, { yAxis = "right" }],
    ] },
    { title = "Cheap: free database storage, lake size", stat = "Average", metrics = [
      ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", local.name],
      ["AWS/S3", "BucketSizeBytes", "BucketName", aws_s3_bucket.lake.id, "StorageType", "StandardStorage", { period = 86400 }],
      ["AWS/S3", "BucketSizeBytes", "BucketName", aws_s3_bucket.lake.id, "StorageType", "StandardIAStorage", { period = 86400 }],
    ] },
  ]
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = local.global_name

  dashboard_body = jsonencode({
    widgets = concat(
      [for i, w in local.widgets : {
        type       = "metric"
        x          = i % 3 * 8
        y          = floor(i / 3) * 6
        width      = 8
        height     = 6
        properties = merge(local.hourly, w)
      }],
      [{
        type       = "alarm", x = 0, y = 18, width = 24, height = 4
        properties = { title = "Alarms", alarms = [for a in aws_cloudwatch_metric_alarm.main : a.arn] }
      }],
    )
  })
}
