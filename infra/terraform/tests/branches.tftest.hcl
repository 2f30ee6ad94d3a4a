# Every branch that a variable opens. Mocks: no network, no credentials.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "defaults_are_off_private_and_lasting" {
  assert {
    condition     = alltrue([for s in aws_scheduler_schedule.main : s.state == "DISABLED"])
    error_message = "The schedule is on before anybody said so."
  }
  assert {
    condition     = aws_scheduler_schedule.main["run"].schedule_expression == "rate(1 hour)" && aws_scheduler_schedule.main["verify"].schedule_expression == "cron(40 5 * * ? *)"
    error_message = "Not hourly and daily."
  }
  assert {
    condition     = jsondecode(aws_scheduler_schedule.main["verify"].target[0].input).containerOverrides[0].command[0] == "verify"
    error_message = "The daily schedule does not verify."
  }
  assert {
    condition     = length(setintersection(keys(aws_cloudwatch_metric_alarm.main), ["no-success", "no-verify"])) == 0 && aws_cloudwatch_metric_alarm.main["rejected"].actions_enabled
    error_message = "Nobody expects success while the schedule is off, and an alarm that stands in alarm before anybody listens never rings."
  }
  assert {
    condition     = length(aws_nat_gateway.main) == 1 && alltrue([for s in aws_scheduler_schedule.main : !s.target[0].ecs_parameters[0].network_configuration[0].assign_public_ip])
    error_message = "Tasks are not behind a NAT gateway."
  }
  assert {
    condition     = length(aws_vpc_endpoint.s3) == 1
    error_message = "No S3 endpoint."
  }
  assert {
    condition     = aws_db_instance.main.deletion_protection && !aws_db_instance.main.skip_final_snapshot && aws_db_instance.main.storage_encrypted && !aws_db_instance.main.publicly_accessible
    error_message = "The database is not safe by default."
  }
  assert {
    condition     = !aws_s3_bucket.lake.force_destroy && !aws_ecr_repository.main.force_delete && aws_secretsmanager_secret.app.recovery_window_in_days == 30
    error_message = "Destroyable by default."
  }
  assert {
    condition     = aws_db_instance.main.parameter_group_name == aws_db_parameter_group.main["mysql8.4"].name
    error_message = "Family and engine version differ."
  }
  assert {
    condition     = one([for c in aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].capacity_provider_strategy : c.capacity_provider]) == "FARGATE"
    error_message = "Spot is not off."
  }
  assert {
    condition     = one([for e in jsondecode(aws_ecs_task_definition.run.container_definitions)[0].environment : e.value if e.name == "SOURCE"]) == "launch_library"
    error_message = "Not the source that is alive."
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && one(aws_s3_bucket_server_side_encryption_configuration.lake.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Unasked for: a subscription or a customer key."
  }
}

run "iceberg_is_off" {
  command = plan

  assert {
    condition     = length(aws_glue_catalog_database.iceberg) + length(aws_iam_role_policy.iceberg) == 0 && !contains(keys(aws_scheduler_schedule.main), "maintain")
    error_message = "Iceberg though nobody asked for it."
  }
}

run "iceberg" {
  command   = plan
  state_key = "iceberg"

  variables {
    enable_iceberg   = true
    iceberg_database = "launches"
  }

  assert {
    condition     = one(aws_glue_catalog_database.iceberg).name == "launches" && local.environment.ICEBERG_CATALOG == "glue" && local.environment.ICEBERG_DATABASE == "launches"
    error_message = "The program does not write where the database is."
  }
  assert {
    condition     = jsondecode(aws_scheduler_schedule.main["maintain"].target[0].input).containerOverrides[0].command[0] == "maintain" && aws_scheduler_schedule.main["maintain"].schedule_expression == "cron(20 4 ? * SUN *)"
    error_message = "Old snapshots stay."
  }
}

run "dev" {
  command   = plan
  state_key = "dev"

  variables {
    environment            = "dev"
    egress                 = "public"
    spot                   = true
    destroyable            = true
    db_deletion_protection = false
    db_final_snapshot      = false
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_eip.nat) == 0 && length(aws_route.private_to_nat) == 0 && length(aws_vpc_endpoint.s3) == 1
    error_message = "A NAT gateway in spite of public egress, or no S3 endpoint."
  }
  assert {
    condition     = aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].network_configuration[0].assign_public_ip
    error_message = "Tasks have no way out."
  }
  assert {
    condition     = one([for c in aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].capacity_provider_strategy : c.capacity_provider]) == "FARGATE_SPOT" && output.task.capacity == "FARGATE_SPOT"
    error_message = "Not on Spot."
  }
  assert {
    condition     = aws_s3_bucket.lake.force_destroy && aws_ecr_repository.main.force_delete && aws_secretsmanager_secret.app.recovery_window_in_days == 0 && aws_db_instance.main.skip_final_snapshot && !aws_db_instance.main.deletion_protection && aws_db_instance.main.delete_automated_backups
    error_message = "destroy would stop half-way, or leave something."
  }
}

run "existing_network" {
  state_key = "existing_network"

  variables {
    existing_network = { vpc_id = "vpc-1", task_subnet_ids = ["subnet-1"], database_subnet_ids = ["subnet-2", "subnet-3"], assign_public_ip = true }
  }

  assert {
    condition     = length(aws_vpc.main) + length(aws_subnet.public) + length(aws_subnet.private) + length(aws_nat_gateway.main) + length(aws_vpc_endpoint.s3) + length(aws_internet_gateway.main) == 0
    error_message = "A network is made though one is given."
  }
  assert {
    condition     = aws_security_group.task.vpc_id == "vpc-1" && toset(aws_db_subnet_group.main.subnet_ids) == toset(["subnet-2", "subnet-3"])
    error_message = "The given network is not used."
  }
  assert {
    condition     = toset(aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].network_configuration[0].subnets) == toset(["subnet-1"]) && aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].network_configuration[0].assign_public_ip
    error_message = "Tasks are not where they should be."
  }
}

run "existing_network_is_private_unless_said" {
  command   = plan
  state_key = "private"

  variables {
    existing_network = { vpc_id = "vpc-1", task_subnet_ids = ["subnet-1"], database_subnet_ids = ["subnet-2", "subnet-3"] }
  }

  assert {
    condition     = !aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].network_configuration[0].assign_public_ip
    error_message = "A public address nobody asked for."
  }
}

run "scheduled" {
  command = plan

  variables {
    image_tag               = "0a1b2c3d4e5f"
    schedule_enabled        = true
    schedule_expressions    = { run = "cron(0/15 6-20 ? * MON-FRI *)" }
    schedule_timezone       = "America/New_York"
    flexible_window_minutes = 0
    success_within_hours    = 168
    alert_emails            = ["ops@example.org"]
  }

  assert {
    condition     = alltrue([for s in aws_scheduler_schedule.main : s.state == "ENABLED" && s.flexible_time_window[0].mode == "OFF" && s.schedule_expression_timezone == "America/New_York"])
    error_message = "Not scheduled as said."
  }
  assert {
    condition     = aws_scheduler_schedule.main["run"].schedule_expression == "cron(0/15 6-20 ? * MON-FRI *)" && aws_scheduler_schedule.main["verify"].schedule_expression == "cron(40 5 * * ? *)"
    error_message = "One expression changes the other."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.main["no-success"].actions_enabled && aws_cloudwatch_metric_alarm.main["no-verify"].evaluation_periods == 50 && aws_cloudwatch_metric_alarm.main["no-verify"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.main["no-verify"].metric_name == "Verified" && aws_cloudwatch_metric_alarm.main["no-success"].evaluation_periods == 168 && aws_cloudwatch_metric_alarm.main["no-success"].period == 3600 && aws_cloudwatch_metric_alarm.main["no-success"].treat_missing_data == "breaching"
    error_message = "Silence is not seen."
  }
  assert {
    condition     = aws_sns_topic_subscription.email["ops@example.org"].protocol == "email"
    error_message = "Nobody is told."
  }
}

run "source_that_stands_still" {
  command = plan

  variables {
    pipeline_source = "spacex"
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.main), "stale")
    error_message = "It would be an alarm for ever."
  }
}

run "program" {
  state_key = "program"

  variables {
    s3_prefix                       = "team/lake/"
    launch_library_token_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token"
    settings                        = { LOG_LEVEL = "DEBUG" }
    architecture                    = "X86_64"
    task_size                       = { cpu = 1024, memory = 4096 }
  }

  assert {
    condition     = one([for s in jsondecode(aws_ecs_task_definition.run.container_definitions)[0].secrets : s.valueFrom if s.name == "LAUNCH_LIBRARY_TOKEN"]) == "arn:aws:secretsmanager:us-east-1:123456789012:secret:token"
    error_message = "The token does not arrive."
  }
  assert {
    condition     = one([for e in jsondecode(aws_ecs_task_definition.run.container_definitions)[0].environment : e.value if e.name == "LOG_LEVEL"]) == "DEBUG"
    error_message = "A setting does not arrive."
  }
  assert {
    condition     = local.raw_prefix == "team/lake/raw/" && contains(local.table_prefixes, "team/lake/launches/")
    error_message = "Policies do not follow the prefix."
  }
  assert {
    condition     = aws_ecs_task_definition.run.runtime_platform[0].cpu_architecture == "X86_64" && aws_ecs_task_definition.run.cpu == "1024" && aws_ecs_task_definition.run.memory == "4096"
    error_message = "Not the machine that was asked for."
  }
  assert {
    condition     = contains(local.execution_secrets.execution, "arn:aws:secretsmanager:us-east-1:123456789012:secret:token") && !contains(local.execution_secrets.execution, local.master_secret_arn)
    error_message = "The execution role must read the token, and never the master's secret."
  }
}

run "customer_key" {
  command   = plan
  state_key = "key"

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.lake.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && one(aws_s3_bucket_server_side_encryption_configuration.lake.rule).bucket_key_enabled
    error_message = "The bucket does not use the key."
  }
  assert {
    condition     = alltrue([for k in [aws_db_instance.main.kms_key_id, aws_db_instance.main.master_user_secret_kms_key_id, aws_secretsmanager_secret.app.kms_key_id, aws_ecr_repository.main.encryption_configuration[0].kms_key, aws_cloudwatch_log_group.task["run"].kms_key_id] : k == var.kms_key_arn])
    error_message = "Something does not use the key."
  }
  assert {
    condition     = length([for s in data.aws_iam_policy_document.task.statement : s if s.sid == "UseKeyThroughS3"]) == 1
    error_message = "The program may not use the key."
  }
}

run "older_engine_and_standby" {
  command = plan

  variables {
    db_engine_version = "8.0.43"
    db_multi_az       = true
  }

  assert {
    condition     = local.db_family == "mysql8.0" && aws_db_parameter_group.main[local.db_family].family == "mysql8.0" && aws_db_instance.main.multi_az
    error_message = "Family and engine version differ, or no standby."
  }
  assert {
    condition     = !aws_db_instance.main.auto_minor_version_upgrade
    error_message = "RDS would upgrade what three numbers pin, and the next apply ask it to go back."
  }
}

run "athena_is_off" {
  command   = plan
  state_key = "athena_is_off"

  assert {
    condition     = length(aws_glue_catalog_database.files) + length(aws_glue_catalog_table.files) + length(aws_athena_workgroup.main) + length(aws_athena_named_query.main) + length(aws_s3_bucket.athena) == 0 && output.athena == null && output.athena_reader_policy == null
    error_message = "Athena though nobody asked for it."
  }
}

run "athena" {
  state_key = "athena"

  variables {
    enable_athena        = true
    files_database       = "launch_files"
    athena_scan_limit_mb = 64
    s3_prefix            = "team/lake/"
  }

  assert {
    condition     = toset(keys(aws_glue_catalog_table.files)) == toset(local.tables) && alltrue([for t in aws_glue_catalog_table.files : t.database_name == "launch_files" && t.partition_keys[0].name == "year"])
    error_message = "Not every table is known to Glue."
  }
  assert {
    condition     = aws_glue_catalog_table.files["launches"].parameters["storage.location.template"] == "s3://${aws_s3_bucket.lake.id}/team/lake/launches/year=$${year}/" && aws_glue_catalog_table.files["launches"].parameters["projection.year.range"] == "1950,2100"
    error_message = "Partitions are looked for in another place than the program puts them."
  }
  assert {
    condition     = alltrue([for t in aws_glue_catalog_table.files : alltrue([for c in t.storage_descriptor[0].columns : c.comment != "" && length(c.comment) < 256])])
    error_message = "A column without its meaning, or with one that Glue does not take."
  }
  assert {
    condition     = one(aws_athena_workgroup.main).configuration[0].enforce_workgroup_configuration && one(aws_athena_workgroup.main).configuration[0].bytes_scanned_cutoff_per_query == 67108864 && one(one(aws_athena_workgroup.main).configuration[0].result_configuration).encryption_configuration[0].encryption_option == "SSE_S3"
    error_message = "Queries are not limited, or their results not encrypted."
  }
  assert {
    condition     = length(aws_athena_named_query.main) > 8 && alltrue([for q in aws_athena_named_query.main : q.database == "launch_files" && length(q.query) < 262144])
    error_message = "The saved queries are not there."
  }
  assert {
    condition     = output.athena.database == "launch_files" && output.athena.workgroup == "spacex-pipeline-test"
    error_message = "Nobody is told where to ask."
  }
}

run "athena_with_a_customer_key" {
  command   = plan
  state_key = "athena_key"

  variables {
    enable_athena = true
    kms_key_arn   = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  }

  assert {
    condition     = one(one(aws_athena_workgroup.main).configuration[0].result_configuration).encryption_configuration[0].encryption_option == "SSE_KMS" && one(aws_s3_bucket_server_side_encryption_configuration.athena[0].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms"
    error_message = "Results are not encrypted by the customer's key."
  }
}

run "athena_asks_iceberg_where_it_is_on" {
  command   = plan
  state_key = "athena_iceberg"

  variables {
    enable_athena    = true
    enable_iceberg   = true
    iceberg_database = "launches"
  }

  assert {
    condition     = output.athena.database == "launches" && alltrue([for q in aws_athena_named_query.main : q.database == "launches"]) && alltrue([for t in aws_glue_catalog_table.files : t.database_name == "spacex_files"])
    error_message = "Saved queries ask tables by path though there are snapshots."
  }
}

run "spark_is_off" {
  command   = plan
  state_key = "spark_is_off"

  assert {
    condition     = length(aws_emrserverless_application.main) + length(aws_iam_role.spark) + length(aws_iam_role_policy.spark) == 0 && toset(keys(aws_cloudwatch_log_group.task)) == toset(["run", "console"]) && output.spark == null
    error_message = "Spark though nobody asked for it."
  }
}

run "spark" {
  state_key = "spark"

  variables {
    enable_spark             = true
    enable_iceberg           = true
    spark_workers            = 6
    s3_prefix                = "team/lake/"
    architecture             = "X86_64"
    log_retention_days       = 14
    role_path                = "/pipelines/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/bound"
    task_security_group_ids  = ["sg-1"]
    settings                 = { MAX_SHRINK_RATIO = "0.2" }
  }

  assert {
    condition     = one(aws_emrserverless_application.main).release_label == "emr-spark-8.0.0" && one(aws_emrserverless_application.main).type == "spark" && one(aws_emrserverless_application.main).architecture == "X86_64"
    error_message = "Not the Spark that the program is tested with, or another processor than the tasks'."
  }
  assert {
    condition     = one(one(aws_emrserverless_application.main).maximum_capacity).cpu == "24 vCPU" && one(one(aws_emrserverless_application.main).maximum_capacity).memory == "96 GB" && length(one(aws_emrserverless_application.main).initial_capacity) == 0
    error_message = "No limit, or workers that are paid while nothing runs."
  }
  assert {
    condition     = one(one(aws_emrserverless_application.main).auto_start_configuration).enabled && one(one(aws_emrserverless_application.main).auto_stop_configuration).idle_timeout_minutes == 1
    error_message = "A job does not start it, or nothing stops it."
  }
  assert {
    condition     = toset(one(one(aws_emrserverless_application.main).network_configuration).subnet_ids) == toset(local.task_subnet_ids) && toset(one(one(aws_emrserverless_application.main).network_configuration).security_group_ids) == toset([aws_security_group.task.id, "sg-1"])
    error_message = "Not in the tasks' network, which the database admits."
  }
  assert {
    condition     = aws_cloudwatch_log_group.task["spark"].name == "/spacex-pipeline/test/spark" && aws_cloudwatch_log_group.task["spark"].retention_in_days == 14
    error_message = "The jobs' lines have no group, or stay for ever."
  }
  assert {
    condition     = one(aws_iam_role.spark).path == "/pipelines/" && one(aws_iam_role.spark).permissions_boundary == "arn:aws:iam::123456789012:policy/bound"
    error_message = "The role is not where an organisation wants it."
  }
  assert {
    condition     = output.spark.replays == "team/lake/replays/" && output.spark.packages == "team/lake/spark/" && output.spark.log_group == "/spacex-pipeline/test/spark"
    error_message = "infra/spark is told other places than the role may use."
  }
  assert {
    condition     = output.spark.environment.MAX_SHRINK_RATIO == "0.2" && output.spark.environment.STACK == "spacex-pipeline-test-spark" && length(setintersection(keys(output.spark.environment), ["LOG_GROUP", "ICEBERG_CATALOG", "ICEBERG_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD"])) == 0
    error_message = "Not the settings of the environment, or a secret among them."
  }
}

run "spark_with_a_customer_key" {
  command   = plan
  state_key = "spark_key"

  variables {
    enable_spark = true
    kms_key_arn  = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = one([for s in one(data.aws_iam_policy_document.spark).statement : s if s.sid == "UseKey"]).resources == toset([var.kms_key_arn]) && aws_cloudwatch_log_group.task["spark"].kms_key_id == var.kms_key_arn
    error_message = "A job may not use the key, or its lines are without."
  }
}
