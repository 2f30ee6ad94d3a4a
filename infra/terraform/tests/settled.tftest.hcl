# Nothing is destroyed by mistake. Mocks: no network, no credentials.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "dev"
  project     = "launches"
}

run "made" {
  assert {
    condition     = terraform_data.settled.output.stack == "launches-dev in us-east-1 of account 123456789012"
    error_message = "The state does not say whose it is."
  }
}

run "the_same_again_changes_nothing" {
  command = plan

  assert {
    condition     = terraform_data.settled.output.stack == "launches-dev in us-east-1 of account 123456789012"
    error_message = "The state does not say whose it is."
  }
}

run "what_may_change_changes" {
  command = plan

  variables {
    db_instance_class = "db.t4g.small"
    egress            = "public"
    spot              = true
    zone_ids          = ["use1-az4", "use1-az5"]
  }

  assert {
    condition     = aws_subnet.private[0].availability_zone_id == "use1-az6" # as the mock lists them
    error_message = "The database's subnets would be made anew."
  }
}

run "another_environment_s_variables_stop_the_plan" {
  command = plan

  variables {
    environment = "prod"
  }

  expect_failures = [terraform_data.settled]
}

run "another_project_s_variables_stop_the_plan" {
  command = plan

  variables {
    project = "another"
  }

  expect_failures = [terraform_data.settled]
}

run "another_region_stops_the_plan" {
  command = plan

  variables {
    region = "eu-west-1"
  }

  expect_failures = [terraform_data.settled]
}

run "a_key_given_later_is_refused" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  expect_failures = [terraform_data.settled]
}

run "another_name_of_the_database_is_refused" {
  command = plan

  variables {
    db_name = "launches"
  }

  expect_failures = [terraform_data.settled]
}

run "another_range_is_refused" {
  command = plan

  variables {
    vpc_cidr = "10.41.0.0/20"
  }

  expect_failures = [terraform_data.settled]
}

run "another_network_is_refused" {
  command = plan

  variables {
    existing_network = { vpc_id = "vpc-1", task_subnet_ids = ["subnet-1"], database_subnet_ids = ["subnet-2", "subnet-3"] }
  }

  expect_failures = [terraform_data.settled]
}

run "an_image_in_use_is_never_expired" {
  command = plan

  variables {
    image_tag = "0a1b2c3d4e5f"
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.main.policy).rules[0].selection.tagPatternList == ["0a1b2c3d4e5f"] && jsondecode(aws_ecr_lifecycle_policy.main.policy).rules[0].selection.countNumber == 1
    error_message = "The first rule does not hold what runs."
  }
  assert {
    condition     = alltrue([for r in jsondecode(aws_ecr_lifecycle_policy.main.policy).rules : r.selection.tagStatus == "tagged"])
    error_message = "A rule for images without a tag would take the parts of an image for several processors."
  }
}

run "the_database_follows_the_environment" {
  command = plan

  variables {
    db_apply_immediately = true
    db_windows           = { backup = "02:00-02:30", maintenance = "mon:03:00-mon:03:30" }
  }

  assert {
    condition     = aws_db_instance.main.apply_immediately && aws_db_instance.main.backup_window == "02:00-02:30" && aws_db_instance.main.maintenance_window == "mon:03:00-mon:03:30"
    error_message = "Not as said."
  }
  assert {
    condition     = aws_db_instance.main.auto_minor_version_upgrade
    error_message = "Two numbers let RDS choose the third."
  }
}

run "never_into_paid_support_and_never_at_once_unless_said" {
  command   = plan
  state_key = "fresh"

  assert {
    condition     = aws_db_instance.main.engine_lifecycle_support == "open-source-rds-extended-support-disabled" && !aws_db_instance.main.apply_immediately
    error_message = "Extended support is paid for by the hour; and a restart waits for its window."
  }
  assert {
    condition     = toset([for g in aws_db_parameter_group.main : g.family]) == toset(["mysql8.0", "mysql8.4"])
    error_message = "An upgrade that waits for the window needs both groups."
  }
}

run "from_a_snapshot" {
  command   = plan
  state_key = "snapshot"

  variables {
    db_restore = { snapshot = "launches-dev-before" }
  }

  assert {
    condition     = aws_db_instance.main.snapshot_identifier == "launches-dev-before" && length(aws_db_instance.main.restore_to_point_in_time) == 0
    error_message = "Not from the snapshot."
  }
}

run "from_a_point_in_time" {
  command   = plan
  state_key = "time"

  variables {
    db_restore = { instance = "launches-dev-damaged", time = "2026-01-31T06:00:00Z" }
  }

  assert {
    condition     = aws_db_instance.main.restore_to_point_in_time[0].source_db_instance_identifier == "launches-dev-damaged" && aws_db_instance.main.restore_to_point_in_time[0].restore_time == "2026-01-31T06:00:00Z"
    error_message = "Not from that time."
  }
}

run "from_the_latest_time" {
  command   = plan
  state_key = "latest"

  variables {
    db_restore = { instance = "launches-dev-damaged" }
  }

  assert {
    condition     = aws_db_instance.main.restore_to_point_in_time[0].use_latest_restorable_time
    error_message = "Not from the latest."
  }
}

run "a_restore_that_is_left_in_the_file_makes_nothing_anew" {
  command = plan

  variables {
    db_restore = { snapshot = "launches-dev-before" }
  }

  assert {
    condition     = aws_db_instance.main.snapshot_identifier != "launches-dev-before"
    error_message = "The instance would be replaced."
  }
}
