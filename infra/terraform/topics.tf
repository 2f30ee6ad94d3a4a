# Who is told: a topic of our own with mail addresses, topics that are there already, or both.

locals {
  make_topic = length(var.alert_topic_arns) == 0 || length(var.alert_emails) > 0
  topics = merge(
    { for t in aws_sns_topic.alerts : "alerts" => t.arn },
    { for arn in var.alert_topic_arns : element(split(":", arn), 5) => arn },
  )
}

resource "aws_sns_topic" "alerts" {
  # checkov:skip=CKV_AWS_26: alarms can't publish to a topic under AWS's own key, and their texts are no secret
  count = local.make_topic ? 1 : 0
  name  = "${local.name}-alerts"
}

data "aws_iam_policy_document" "alerts" {
  count = local.make_topic ? 1 : 0

  statement {
    sid       = "Alarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts[0].arn]

    principals {
      type        = "Service"
      identifiers = [local.service["cloudwatch"]]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  statement {
    sid       = "Database"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts[0].arn]

    principals {
      type        = "Service"
      identifiers = [local.service["events.rds"]]
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
    resources = [aws_sns_topic.alerts[0].arn]

    principals {
      type        = "Service"
      identifiers = [local.service["events"]]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  count  = local.make_topic ? 1 : 0
  arn    = aws_sns_topic.alerts[0].arn
  policy = data.aws_iam_policy_document.alerts[0].json
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = var.alert_emails
  topic_arn = aws_sns_topic.alerts[0].arn
  protocol  = "email"
  endpoint  = each.key

  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.undelivered.arn })
  depends_on     = [aws_sqs_queue_policy.undelivered]
}
