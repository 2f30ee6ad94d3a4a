# Replays on Apache Spark, off unless asked for: an application of EMR Serverless, which runs nothing and costs nothing until
# `infra/spark` starts a job, and what a job may do. Driver and executors have one role, since EMR knows no other way.

locals {
  spark_packages_prefix = "${var.s3_prefix}spark/"
  replays_prefix        = "${var.s3_prefix}replays/"

  # Metrics of a replay elsewhere are none of the environment's, its lines are in the job's log, and Iceberg's tables are not elsewhere.
  spark_environment = merge(
    { for name, value in local.environment : name => value if !contains(concat(["LOG_GROUP"], keys(local.iceberg_settings)), name) },
    { STACK = "${local.name}-spark" },
  )
}

resource "aws_emrserverless_application" "main" {
  count         = var.enable_spark ? 1 : 0
  name          = local.name
  type          = "spark"
  release_label = var.spark_release
  architecture  = var.architecture

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = 1 # no worker is kept ready, so that nothing is lost
  }

  maximum_capacity { # of all jobs at a time
    cpu    = "${4 * var.spark_workers} vCPU"
    memory = "${16 * var.spark_workers} GB"
  }

  network_configuration {
    subnet_ids         = local.task_subnet_ids
    security_group_ids = local.task_security_group_ids
  }
}

data "aws_iam_policy_document" "spark_assume" {
  count = var.enable_spark ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [local.service["emr-serverless"]]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["${one(aws_emrserverless_application.main).arn}*"] # it, and the runs of its jobs
    }
  }
}

data "aws_iam_policy_document" "spark" {
  count = var.enable_spark ? 1 : 0

  statement {
    sid       = "ReadPackage"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.spark_packages_prefix}*"]
  }

  statement {
    sid       = "ReadManifests"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.manifest_prefix}*"]
  }

  statement {
    sid       = "ReadRaw" # as the manifests name it
    actions   = ["s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.raw_prefix}*"]
  }

  statement {
    sid       = "WriteReplays" # versions stay
    actions   = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.replays_prefix}*"]
  }

  statement {
    sid       = "ListManifests" # and, as EMR may, the package
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn]

    condition {
      test     = "StringLikeIfExists" # as the task's role has it
      variable = "s3:prefix"
      values   = ["${local.manifest_prefix}*", "${local.spark_packages_prefix}*"]
    }
  }

  statement {
    sid       = "ListReplays"
    actions   = ["s3:ListBucketVersions"]
    resources = [aws_s3_bucket.lake.arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["${local.replays_prefix}*"]
    }
  }

  statement {
    sid       = "ReadSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.app.arn]
  }

  statement {
    sid       = "WriteJobLog" # EMR asks for the group before it writes
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task["spark"].arn}:*"]
  }

  statement {
    sid       = "FindJobLog"
    actions   = ["logs:DescribeLogGroups"]
    resources = ["*"] # a list has no narrower resource
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "UseKey"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [for s in ["s3", "secretsmanager"] : "${s}.${var.region}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role" "spark" {
  count                = var.enable_spark ? 1 : 0
  name                 = "${local.global_name}-spark"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = one(data.aws_iam_policy_document.spark_assume).json
}

resource "aws_iam_role_policy" "spark" {
  count  = var.enable_spark ? 1 : 0
  name   = "spark"
  role   = one(aws_iam_role.spark).id
  policy = one(data.aws_iam_policy_document.spark).json
}

output "spark" {
  description = "What `infra/spark` starts a replay with; null without enable_spark."
  value = var.enable_spark ? {
    region       = var.region
    application  = one(aws_emrserverless_application.main).id
    role         = one(aws_iam_role.spark).arn
    architecture = var.architecture
    workers      = var.spark_workers
    bucket       = aws_s3_bucket.lake.id
    packages     = local.spark_packages_prefix
    replays      = local.replays_prefix
    log_group    = aws_cloudwatch_log_group.task["spark"].name
    secret       = aws_secretsmanager_secret.app.arn
    environment  = local.spark_environment
  } : null
}
