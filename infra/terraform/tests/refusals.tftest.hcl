# Every validation that must refuse.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "project_a_bucket_can_not_be_named_so" {
  command = plan

  variables {
    project = "Pipeline"
  }

  expect_failures = [var.project]
}

run "project_too_long" {
  command = plan

  variables {
    project = "a-name-of-more-than-twenty"
  }

  expect_failures = [var.project]
}

run "environment_upper_case" {
  command = plan

  variables {
    environment = "Prod"
  }

  expect_failures = [var.environment]
}

run "environment_a_hyphen" {
  command = plan

  variables {
    environment = "eu-prod"
  }

  expect_failures = [var.environment]
}

run "kms_key_arn_an_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/lake"
  }

  expect_failures = [var.kms_key_arn]
}

run "egress_unknown" {
  command = plan

  variables {
    egress = "vpn"
  }

  expect_failures = [var.egress]
}

run "vpc_cidr_no_range" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0"
  }

  expect_failures = [var.vpc_cidr]
}

run "vpc_cidr_too_small" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/26"
  }

  expect_failures = [var.vpc_cidr]
}

run "vpc_cidr_too_large" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/8"
  }

  expect_failures = [var.vpc_cidr]
}

run "existing_network_no_task_subnet" {
  command = plan

  variables {
    existing_network = { vpc_id = "vpc-1", task_subnet_ids = [], database_subnet_ids = ["a", "b"] }
  }

  expect_failures = [var.existing_network]
}

run "existing_network_one_database_subnet" {
  command = plan

  variables {
    existing_network = { vpc_id = "vpc-1", task_subnet_ids = ["a"], database_subnet_ids = ["b"] }
  }

  expect_failures = [var.existing_network]
}

run "db_name_a_hyphen" {
  command = plan

  variables {
    db_name = "space-x"
  }

  expect_failures = [var.db_name]
}

run "db_engine_version_unknown_family" {
  command = plan

  variables {
    db_engine_version = "5.7"
  }

  expect_failures = [var.db_engine_version]
}

run "db_instance_class_not_rds" {
  command = plan

  variables {
    db_instance_class = "t4g.micro"
  }

  expect_failures = [var.db_instance_class]
}

run "db_storage_gb_too_small" {
  command = plan

  variables {
    db_storage_gb = { start = 10, most = 100 }
  }

  expect_failures = [var.db_storage_gb]
}

run "db_storage_gb_can_not_grow" {
  command = plan

  variables {
    db_storage_gb = { start = 20, most = 20 }
  }

  expect_failures = [var.db_storage_gb]
}

run "db_backup_days_none" {
  command = plan

  variables {
    db_backup_days = 0
  }

  expect_failures = [var.db_backup_days]
}

run "db_backup_days_too_long" {
  command = plan

  variables {
    db_backup_days = 36
  }

  expect_failures = [var.db_backup_days]
}

run "db_password_version_zero" {
  command = plan

  variables {
    db_password_version = 0
  }

  expect_failures = [var.db_password_version]
}

run "db_password_version_a_fraction" {
  command = plan

  variables {
    db_password_version = 1.5
  }

  expect_failures = [var.db_password_version]
}

run "image_tag_latest" {
  command = plan

  variables {
    image_tag = "latest"
  }

  expect_failures = [var.image_tag]
}

run "image_tag_latest_in_capitals" {
  command = plan

  variables {
    image_tag = "LATEST"
  }

  expect_failures = [var.image_tag]
}

run "image_tag_a_digest" {
  command = plan

  variables {
    image_tag = "sha256:0a1b"
  }

  expect_failures = [var.image_tag]
}

run "architecture_as_docker_says_it" {
  command = plan

  variables {
    architecture = "arm64"
  }

  expect_failures = [var.architecture]
}

run "task_size_too_little_memory" {
  command = plan

  variables {
    task_size = { cpu = 1024, memory = 1024 }
  }

  expect_failures = [var.task_size]
}

run "task_size_too_much_memory" {
  command = plan

  variables {
    task_size = { cpu = 256, memory = 4096 }
  }

  expect_failures = [var.task_size]
}

run "task_size_between_steps" {
  command = plan

  variables {
    task_size = { cpu = 512, memory = 1536 }
  }

  expect_failures = [var.task_size]
}

run "task_size_no_such_cpu" {
  command = plan

  variables {
    task_size = { cpu = 300, memory = 1024 }
  }

  expect_failures = [var.task_size]
}

run "pipeline_source_unknown" {
  command = plan

  variables {
    pipeline_source = "nasa"
  }

  expect_failures = [var.pipeline_source]
}

run "launch_library_token_secret_arn_the_token_itself" {
  command = plan

  variables {
    launch_library_token_secret_arn = "0123abcd"
  }

  expect_failures = [var.launch_library_token_secret_arn]
}

run "s3_prefix_slash_first" {
  command = plan

  variables {
    s3_prefix = "/lake/"
  }

  expect_failures = [var.s3_prefix]
}

run "s3_prefix_no_slash_last" {
  command = plan

  variables {
    s3_prefix = "lake"
  }

  expect_failures = [var.s3_prefix]
}

run "settings_a_secret" {
  command = plan

  variables {
    settings = { MYSQL_PASSWORD = "x" }
  }

  expect_failures = [var.settings]
}

run "settings_unknown" {
  command = plan

  variables {
    settings = { COLOUR = "red" }
  }

  expect_failures = [var.settings]
}

run "settings_terraform_s_own" {
  command = plan

  variables {
    settings = { S3_BUCKET = "x" }
  }

  expect_failures = [var.settings]
}

run "schedule_enabled_without_an_image" {
  command = plan

  variables {
    schedule_enabled = true
  }

  expect_failures = [var.schedule_enabled]
}

run "schedule_expressions_a_crontab" {
  command = plan

  variables {
    schedule_expressions = { run = "0 * * * *" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_five_fields" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 * * * ?)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_both_days" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6 1 * MON *)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_no_question_mark" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6 * * * *)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_two_question_marks" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6 ? * ? *)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_minute_60" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(60 6 * * ? *)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_hour_24" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 24 * * ? *)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_plural_of_one" {
  command = plan

  variables {
    schedule_expressions = { run = "rate(1 hours)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_singular_of_many" {
  command = plan

  variables {
    schedule_expressions = { run = "rate(2 hour)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_rate_of_nothing" {
  command = plan

  variables {
    schedule_expressions = { run = "rate(0 hours)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_once" {
  command = plan

  variables {
    schedule_expressions = { run = "at(2030-01-01T00:00:00)" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_expressions_verify_too" {
  command = plan

  variables {
    schedule_expressions = { verify = "daily" }
  }

  expect_failures = [var.schedule_expressions]
}

run "schedule_timezone_an_offset" {
  command = plan

  variables {
    schedule_timezone = "+02:00"
  }

  expect_failures = [var.schedule_timezone]
}

run "flexible_window_minutes_negative" {
  command = plan

  variables {
    flexible_window_minutes = -1
  }

  expect_failures = [var.flexible_window_minutes]
}

run "flexible_window_minutes_more_than_a_day" {
  command = plan

  variables {
    flexible_window_minutes = 1441
  }

  expect_failures = [var.flexible_window_minutes]
}

run "alert_emails_no_address" {
  command = plan

  variables {
    alert_emails = ["ops"]
  }

  expect_failures = [var.alert_emails]
}

run "log_retention_days_unknown_span" {
  command = plan

  variables {
    log_retention_days = 42
  }

  expect_failures = [var.log_retention_days]
}

run "success_within_hours_more_than_a_week" {
  command = plan

  variables {
    success_within_hours = 169
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_none" {
  command = plan

  variables {
    success_within_hours = 0
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_a_fraction" {
  command = plan

  variables {
    success_within_hours = 1.5
  }

  expect_failures = [var.success_within_hours]
}

run "rejected_limit_negative" {
  command = plan

  variables {
    rejected_limit = -1
  }

  expect_failures = [var.rejected_limit]
}

run "stale_after_days_none" {
  command = plan

  variables {
    stale_after_days = 0
  }

  expect_failures = [var.stale_after_days]
}

run "db_connections_limit_none" {
  command = plan

  variables {
    db_connections_limit = 0
  }

  expect_failures = [var.db_connections_limit]
}

run "project_two_hyphens" {
  command = plan

  variables {
    project = "a--b"
  }

  expect_failures = [var.project]
}

run "role_path_no_slash_last" {
  command = plan

  variables {
    role_path = "/team"
  }

  expect_failures = [var.role_path]
}

run "permissions_boundary_arn_a_role" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/x"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "zone_ids_one" {
  command = plan

  variables {
    zone_ids = ["use1-az1"]
  }

  expect_failures = [var.zone_ids]
}

run "zone_ids_a_name" {
  command = plan

  variables {
    zone_ids = ["us-east-1a", "us-east-1b"]
  }

  expect_failures = [var.zone_ids]
}

run "task_egress_whom" {
  command = plan

  variables {
    task_egress = [{ description = "x", port = 443 }]
  }

  expect_failures = [var.task_egress]
}

run "task_egress_all_protocols" {
  command = plan

  variables {
    task_egress = [{ description = "x", port = 443, protocol = "-1", cidr = "0.0.0.0/0" }]
  }

  expect_failures = [var.task_egress]
}

run "task_security_group_ids_a_name" {
  command = plan

  variables {
    task_security_group_ids = ["proxy"]
  }

  expect_failures = [var.task_security_group_ids]
}

run "task_security_group_ids_too_many" {
  command = plan

  variables {
    task_security_group_ids = ["sg-1", "sg-2", "sg-3", "sg-4", "sg-5"]
  }

  expect_failures = [var.task_security_group_ids]
}

run "database_client_security_group_ids_a_name" {
  command = plan

  variables {
    database_client_security_group_ids = ["dashboards"]
  }

  expect_failures = [var.database_client_security_group_ids]
}

run "db_windows_no_day" {
  command = plan

  variables {
    db_windows = { maintenance = "09:00-09:30" }
  }

  expect_failures = [var.db_windows]
}

run "db_restore_both" {
  command = plan

  variables {
    db_restore = { snapshot = "a", instance = "b" }
  }

  expect_failures = [var.db_restore]
}

run "db_restore_neither" {
  command = plan

  variables {
    db_restore = { time = "2026-01-31T06:00:00Z" }
  }

  expect_failures = [var.db_restore]
}

run "db_restore_no_time" {
  command = plan

  variables {
    db_restore = { instance = "b", time = "yesterday" }
  }

  expect_failures = [var.db_restore]
}

run "image_latest" {
  command = plan

  variables {
    image = "registry.example/spacex-pipeline:latest"
  }

  expect_failures = [var.image]
}

run "image_without_a_tag" {
  command = plan

  variables {
    image = "registry.example/spacex-pipeline"
  }

  expect_failures = [var.image]
}

run "image_a_short_digest" {
  command = plan

  variables {
    image = "registry.example/spacex-pipeline@sha256:0a1b"
  }

  expect_failures = [var.image]
}

run "launch_library_token_secret_arn_a_key_in_it" {
  command = plan

  variables {
    launch_library_token_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:library:token::"
  }

  expect_failures = [var.launch_library_token_secret_arn]
}

run "launch_library_token_kms_key_arn_an_alias" {
  command = plan

  variables {
    launch_library_token_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/library"
  }

  expect_failures = [var.launch_library_token_kms_key_arn]
}

run "alert_topic_arns_a_name" {
  command = plan

  variables {
    alert_topic_arns = ["alerts"]
  }

  expect_failures = [var.alert_topic_arns]
}

run "alert_topic_arns_too_many" {
  command = plan

  variables {
    alert_topic_arns = [for n in range(5) : "arn:aws:sns:us-east-1:123456789012:alerts-${n}"]
  }

  expect_failures = [var.alert_topic_arns]
}

run "success_within_hours_less_than_a_day_of_a_daily_schedule" {
  command = plan

  variables {
    schedule_expressions = { run = "rate(1 day)" }
    success_within_hours = 4
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_one_interval_alone" {
  command = plan

  variables {
    schedule_expressions = { run = "rate(4 hours)" }
    success_within_hours = 4
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_less_than_the_night_of_a_cron" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6-20 * * ? *)" }
    success_within_hours = 10
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_less_than_the_weekend_of_a_cron" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0/15 6-20 ? * MON-FRI *)" }
    success_within_hours = 58
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_a_schedule_of_once_a_month" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6 1 * ? *)" }
    success_within_hours = 168
  }

  expect_failures = [var.success_within_hours]
}

run "success_within_hours_a_schedule_of_one_month" {
  command = plan

  variables {
    schedule_expressions = { run = "cron(0 6 * JAN ? *)" }
    success_within_hours = 168
  }

  expect_failures = [var.success_within_hours]
}

run "verify_too_seldom_to_be_watched" {
  command = plan

  variables {
    schedule_expressions = { verify = "rate(7 days)" }
  }

  expect_failures = [aws_cloudwatch_metric_alarm.main]
}

run "iceberg_database_glue_would_not_take" {
  command = plan

  variables {
    iceberg_database = "SpaceX-lake"
  }

  expect_failures = [var.iceberg_database]
}

run "files_database_glue_would_not_take" {
  command = plan

  variables {
    files_database = "SpaceX-files"
  }

  expect_failures = [var.files_database]
}

run "a_scan_limit_below_what_athena_takes" {
  command = plan

  variables {
    athena_scan_limit_mb = 9
  }

  expect_failures = [var.athena_scan_limit_mb]
}

run "spark_release_of_another_spark" {
  command = plan

  variables {
    spark_release = "emr-7.13.0"
  }

  expect_failures = [var.spark_release]
}

run "spark_release_a_preview" {
  command = plan

  variables {
    spark_release = "emr-spark-8.0-preview"
  }

  expect_failures = [var.spark_release]
}

run "spark_workers_the_driver_alone" {
  command = plan

  variables {
    spark_workers = 1
  }

  expect_failures = [var.spark_workers]
}

run "spark_workers_too_many" {
  command = plan

  variables {
    spark_workers = 201
  }

  expect_failures = [var.spark_workers]
}

run "spark_workers_a_fraction" {
  command = plan

  variables {
    spark_workers = 2.5
  }

  expect_failures = [var.spark_workers]
}
