# What ECS itself does before and around the program: pull the image, fetch the secrets, ship stdout. Two roles, so that
# nothing that runs on a schedule can fetch the master's password.

locals {
  execution_secrets = {
    execution = compact([aws_secretsmanager_secret.app.arn, var.launch_library_token_secret_arn])
    init_db   = [aws_secretsmanager_secret.app.arn, local.master_secret_arn]
  }
}

data "aws_iam_policy_document" "execution" {
  for_each = local.execution_secrets

  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # AWS has no narrower resource for it
  }

  statement {
    sid       = "PullImage"
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = [aws_ecr_repository.main.arn]
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
    for_each = var.kms_key_arn[*]

    content {
      sid       = "UseKeyThroughSecretsManager"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${var.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "execution" {
  name               = "${local.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.assume["ecs-tasks"].json
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution["execution"].json
}

resource "aws_iam_role" "init_db_execution" {
  name               = "${local.name}-init-db-execution"
  assume_role_policy = data.aws_iam_policy_document.assume["ecs-tasks"].json
}

resource "aws_iam_role_policy" "init_db_execution" {
  name   = "execution"
  role   = aws_iam_role.init_db_execution.id
  policy = data.aws_iam_policy_document.execution["init_db"].json
}
