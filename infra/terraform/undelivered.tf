# What could not be delivered, and would else be lost without a word: a start that ECS refused, an event that no topic took, a mail
# that did not arrive. A task that started and failed is the failure rule's business.

resource "aws_sqs_queue" "undelivered" {
  name                      = "${local.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

# Scheduler sends under its own role.
data "aws_iam_policy_document" "undelivered" {
  statement {
    sid       = "Events"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.undelivered.arn]

    principals {
      type        = "Service"
      identifiers = [local.service["events"]]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.failed.arn]
    }
  }

  dynamic "statement" {
    for_each = aws_sns_topic.alerts

    content {
      sid       = "Mails"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.undelivered.arn]

      principals {
        type        = "Service"
        identifiers = [local.service["sns"]]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value.arn]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.id
  policy    = data.aws_iam_policy_document.undelivered.json
}
