# It fits an organisation that is there already. Mocks: no network, no credentials.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment = "test"
}

run "boundary_path_and_names_of_roles" {
  command = plan

  variables {
    region                   = "ap-southeast-2"
    role_path                = "/pipelines/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for r in [aws_iam_role.task, aws_iam_role.execution, aws_iam_role.init_db_execution, aws_iam_role.scheduler] : r.path == "/pipelines/" && r.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"])
    error_message = "A role without the boundary, or elsewhere."
  }
  assert {
    condition     = alltrue([for n in [aws_iam_role.task.name, aws_iam_role.execution.name, aws_iam_role.init_db_execution.name, aws_iam_role.scheduler.name, aws_cloudwatch_dashboard.main.dashboard_name] : startswith(n, "spacex-pipeline-test-ap-southeast-2")])
    error_message = "A second region's stack would ask for the same name."
  }
}

run "longest_names_fit" {
  command = plan

  variables {
    project     = "a-name-of-20-letters"
    environment = "production"
    region      = "ap-southeast-2"
  }

  assert {
    condition     = length(aws_iam_role.init_db_execution.name) <= 64 && length(aws_s3_bucket.lake.bucket) <= 63 && length(aws_db_instance.main.identifier) <= 63
    error_message = "A name that AWS refuses."
  }
}

run "tasks_carry_the_tags" {
  command   = plan
  state_key = "tags"

  assert {
    condition     = alltrue([for s in aws_scheduler_schedule.main : s.target[0].ecs_parameters[0].propagate_tags == "TASK_DEFINITION"])
    error_message = "What tasks cost is in no tag's report."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.scheduler.statement : one(one(s.condition).values) if s.sid == "TagStartedTask"]) == "RunTask"
    error_message = "ECS refuses a start with tags without the right to set them."
  }
}

run "security_groups_and_egress_of_one_s_own" {
  command   = plan
  state_key = "groups"

  variables {
    existing_network                   = { vpc_id = "vpc-1", task_subnet_ids = ["subnet-1"], database_subnet_ids = ["subnet-2", "subnet-3"] }
    task_security_group_ids            = ["sg-proxy"]
    database_client_security_group_ids = ["sg-dashboards"]
    settings                           = { HTTPS_PROXY = "http://proxy.example:3128", NO_PROXY = "169.254.170.2" }
    task_egress = [
      { description = "Proxy", port = 3128, cidr = "10.0.0.0/24" },
      { description = "DNS", port = 53, protocol = "udp", cidr = "10.0.0.2/32" },
      { description = "S3", port = 443, prefix_list_id = "pl-s3" },
    ]
  }

  assert {
    condition     = { for k, r in aws_vpc_security_group_egress_rule.task : k => r.from_port } == { "tcp 3128 10.0.0.0/24" = 3128, "udp 53 10.0.0.2/32" = 53, "tcp 443 pl-s3" = 443 }
    error_message = "Not the ways out that were asked for, and no others."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.database_from_client["sg-dashboards"].from_port == 3306
    error_message = "The dashboards do not reach the database."
  }
}

run "further_groups_are_the_schedule_s_too" {
  state_key = "applied"

  variables {
    task_security_group_ids = ["sg-proxy"]
  }

  assert {
    condition     = contains(aws_scheduler_schedule.main["run"].target[0].ecs_parameters[0].network_configuration[0].security_groups, "sg-proxy") && contains(output.task.security_groups, "sg-proxy")
    error_message = "Scheduled tasks and those started by hand differ."
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.execution["execution"].statement : s.resources if s.sid == "PullImage"] == [toset([aws_ecr_repository.main.arn])] && output.image == "${aws_ecr_repository.main.repository_url}:not-pushed-yet"
    error_message = "Not the registry's own image."
  }
}

run "an_image_that_environments_share" {
  command   = plan
  state_key = "image"

  variables {
    image            = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/spacex-pipeline@sha256:00000000000000000000000000000000000000000000000000000000000000aa"
    schedule_enabled = true
  }

  assert {
    condition     = output.image == var.image
    error_message = "Another image."
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.execution["execution"].statement : s.resources if s.sid == "PullImage"] == [toset(["arn:aws:ecr:eu-west-1:210987654321:repository/team/spacex-pipeline"])]
    error_message = "ECS may not pull it."
  }
}

run "an_image_outside_ecr" {
  command   = plan
  state_key = "elsewhere"

  variables {
    image = "registry.example:5000/spacex-pipeline:1.2.3"
  }

  assert {
    condition     = length([for s in data.aws_iam_policy_document.execution["execution"].statement : s if s.sid == "PullImage"]) == 0
    error_message = "A right that nothing needs."
  }
}

run "zones_by_id" {
  command   = plan
  state_key = "zones"

  variables {
    zone_ids = ["use1-az4", "use1-az2"]
  }

  assert {
    condition     = aws_subnet.private[*].availability_zone_id == ["use1-az4", "use1-az2"] && aws_subnet.public[*].availability_zone_id == ["use1-az4", "use1-az2"]
    error_message = "Not the zones that were asked for."
  }
}

run "zones_are_excluded" {
  command   = plan
  state_key = "excluded"

  assert {
    condition     = contains(data.aws_availability_zones.available.exclude_zone_ids, "use1-az3") && contains(data.aws_availability_zones.available.exclude_zone_ids, "apne1-az3")
    error_message = "A zone without Fargate on ARM64 or without NAT gateways may be chosen."
  }
}

run "too_few_zones" {
  command   = plan
  state_key = "few"

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-east-1a"], zone_ids = ["use1-az6"] }
  }

  expect_failures = [data.aws_availability_zones.available]
}

run "china" {
  command   = plan
  state_key = "china"

  variables {
    region      = "cn-north-1"
    kms_key_arn = "arn:aws-cn:kms:cn-north-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.task.statement : one(one(s.condition).values) if s.sid == "UseKeyThroughS3"]) == "s3.cn-north-1.amazonaws.com.cn"
    error_message = "The key can't be used there."
  }
  assert {
    condition     = startswith(local.console_url, "https://cn-north-1.console.amazonaws.cn/")
    error_message = "Another partition's addresses."
  }
}

run "us_gov" {
  command   = plan
  state_key = "gov"

  variables {
    region = "us-gov-west-1"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }

  assert {
    condition     = startswith(one([for s in data.aws_iam_policy_document.scheduler.statement : one(s.resources) if s.sid == "StartTask"]), "arn:aws-us-gov:ecs:us-gov-west-1:")
    error_message = "Another partition's ARN."
  }
  assert {
    condition     = startswith(local.console_url, "https://us-gov-west-1.console.amazonaws-us-gov.com/")
    error_message = "Another partition's addresses."
  }
}

run "the_token_s_own_key" {
  command   = plan
  state_key = "token"

  variables {
    launch_library_token_secret_arn  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token"
    launch_library_token_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-00000000000b"
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.execution["execution"].statement : s.resources if s.sid == "UseKeyThroughSecretsManager"] == [toset([var.launch_library_token_kms_key_arn])]
    error_message = "The token can't be decrypted."
  }
}
