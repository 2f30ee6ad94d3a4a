# Nothing stays silent. Mocks: no network, no credentials.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
  image_tag   = "0a1b2c3d4e5f"
}

run "two_projects_in_one_account_have_series_of_their_own" {
  command = plan

  variables {
    project          = "another"
    schedule_enabled = true
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.main["no-success"].dimensions["stack"] == "another-test" && keys(local.metric_dimensions) == ["stack"]
    error_message = "The other project's success would quiet this alarm."
  }
  assert {
    condition     = alltrue([for m in local.metric : m[2] == "stack" && m[3] == "another-test"])
    error_message = "The dashboard would show the other project's figures."
  }
}

run "armed" {
  variables {
    schedule_enabled = true
    alert_emails     = ["ops@example.org"]
  }

  assert {
    condition     = one([for e in jsondecode(aws_ecs_task_definition.run.container_definitions)[0].environment : e.value if e.name == "STACK"]) == aws_cloudwatch_metric_alarm.main["no-success"].dimensions.stack
    error_message = "The program sends under another name than the alarms read."
  }
  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.main : a.actions_enabled && length(a.alarm_actions) == 1])
    error_message = "An alarm that nobody hears."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.main["no-verify"].evaluation_periods == 52 && aws_cloudwatch_metric_alarm.main["no-verify"].dimensions["stack"] == "spacex-pipeline-test"
    error_message = "Two days without a verification do not ring."
  }
  assert {
    condition     = aws_cloudwatch_event_target.failed["alerts"].dead_letter_config[0].arn == aws_sqs_queue.undelivered.arn && jsondecode(aws_sns_topic_subscription.email["ops@example.org"].redrive_policy).deadLetterTargetArn == aws_sqs_queue.undelivered.arn
    error_message = "What can't be delivered is lost."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.main["rule-failed"].metric_name == "FailedInvocations" && aws_cloudwatch_metric_alarm.main["mail-failed"].namespace == "AWS/SNS" && aws_cloudwatch_metric_alarm.main["start-lost"].namespace == "AWS/Scheduler"
    error_message = "What fails to deliver is not watched."
  }
  assert {
    condition     = contains(aws_db_event_subscription.main["alerts"].event_categories, "failure") && aws_db_event_subscription.main["alerts"].sns_topic == aws_sns_topic.alerts[0].arn
    error_message = "What RDS has to say is not heard."
  }
}

run "disarmed" {
  command = plan

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.main), "no-success") && !contains(keys(aws_cloudwatch_metric_alarm.main), "no-verify")
    error_message = "The alarm stays, and keeps its state until it is armed again."
  }
}

run "existing_topics_alone" {
  command   = plan
  state_key = "topics"

  variables {
    alert_topic_arns = ["arn:aws:sns:us-east-1:123456789012:ops", "arn:aws:sns:us-east-1:123456789012:audit"]
  }

  assert {
    condition     = length(aws_sns_topic.alerts) == 0 && length(aws_sns_topic_policy.alerts) == 0 && !contains(keys(aws_cloudwatch_metric_alarm.main), "mail-failed")
    error_message = "A topic nobody asked for."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.main["rejected"].alarm_actions == toset(var.alert_topic_arns)
    error_message = "Alarms do not reach the topics that are there."
  }
  assert {
    condition     = toset([for t in aws_cloudwatch_event_target.failed : t.arn]) == var.alert_topic_arns && keys(aws_db_event_subscription.main) == ["audit", "ops"]
    error_message = "Events do not reach the topics that are there."
  }
}

run "existing_topic_and_mail" {
  command   = plan
  state_key = "both"

  variables {
    alert_topic_arns = ["arn:aws:sns:us-east-1:123456789012:ops"]
    alert_emails     = ["ops@example.org"]
  }

  assert {
    condition     = keys(aws_cloudwatch_event_target.failed) == ["alerts", "ops"]
    error_message = "One of the two is not told."
  }
}

run "a_schedule_s_longest_pause" {
  command = plan

  variables {
    schedule_expressions    = { run = "cron(0/15 6-20 ? * MON-FRI *)", verify = "rate(30 minutes)" }
    success_within_hours    = 100
    flexible_window_minutes = 60
  }

  assert {
    condition     = local.longest_pause_hours == { run = 58, verify = 0.5 } && local.least_hours == { run = 60, verify = 3 }
    error_message = "From Friday evening to Monday morning are 58 hours, and the start may be an hour late."
  }
}

run "a_schedule_of_lists_and_steps" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 1,4/6 1/2 * ? *)", verify = "cron(40 5 ? * SUN,WED *)" }
    success_within_hours = 60
  }

  assert {
    condition     = local.longest_pause_hours.run == 30 && local.longest_pause_hours.verify == 96
    error_message = "Every other day at 1, 4, 10, 16 and 22; Wednesday to Sunday."
  }
}
