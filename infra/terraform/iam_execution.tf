# What ECS itself does before and around the program: pull the image, fetch the secrets, ship stdout. Two roles, so that
# nothing that runs on a schedule can fetch the master's password.

locals {
  execution_secrets = {
    execution = compact([aws_secretsmanager_secret.app.arn, var.launch_library_token_secret_arn])
    init_db   = [aws_secretsmanager_secret.app.arn, local.master_secret_arn]
  }
  secret_key_arns = {
    execution = distinct(compact([var.kms_key_arn, var.launch_library_token_kms_key_arn]))
    init_db   = compact([var.kms_key_arn])
  }
}

data "aws_iam_policy_document" "execution" {
  for_each = local.execution_secrets

  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # AWS has no narrower resource for it
  }

  dynamic "statement" {
    for_each = length(local.pulled_repository_arns) > 0 ? [local.pulled_repository_arns] : []

    content {
      sid       = "PullImage"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = statement.value
    }
  }

  statement {
    sid       = "ShipConsole"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task["console"].arn}:*"]
  }

  statement {
    sid       = "FetchSecrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = each.value
  }

  dynamic "statement" {
    for_each = length(local.secret_key_arns[each.key]) > 0 ? [local.secret_key_arns[each.key]] : []

    content {
      sid       = "UseKeyThroughSecretsManager"
      actions   = ["kms:Decrypt"]
      resources = statement.value

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.region}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${local.global_name}-execution"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.assume["ecs-tasks"].json

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution["execution"].json
}

resource "aws_iam_role" "init_db_execution" {
  name                 = "${local.global_name}-init-db-execution"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.assume["ecs-tasks"].json

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role_policy" "init_db_execution" {
  name   = "execution"
  role   = aws_iam_role.init_db_execution.id
  policy = data.aws_iam_policy_document.execution["init_db"].json
}
