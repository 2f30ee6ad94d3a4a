# Four roles: task (the program), execution (ECS for the program), init-db execution (ECS for init-db), scheduler; spark.tf has that of
# replays on Spark.
# Wildcards only where AWS allows nothing else.

data "aws_iam_policy_document" "assume" {
  for_each = toset(["ecs-tasks", "scheduler"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [local.service[each.key]]
    }

    condition { # not on behalf of somebody else's task or schedule
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

# --- task: exactly what the program calls --------------------------------------------------------------------------------

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "ReadPartitions"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = [for p in local.table_prefixes : "${aws_s3_bucket.lake.arn}/${p}*"]
  }

  statement {
    sid       = "ReadRaw" # as the manifest names it; `replay` also what a run left that published nothing
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.raw_prefix}*"]
  }

  statement {
    sid       = "ReadManifests" # an earlier version where the newest is not what the pointer names
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.manifest_prefix}*"]
  }

  statement {
    sid       = "WriteLake"
    actions   = ["s3:PutObject"]
    resources = [for p in concat(local.table_prefixes, [local.raw_prefix, local.manifest_prefix, local.quarantine]) : "${aws_s3_bucket.lake.arn}/${p}*"]
  }

  statement {
    sid       = "WriteReport"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.report}"]
  }

  statement {
    sid       = "SeeVersioning" # `doctor`
    actions   = ["s3:GetBucketVersioning"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid       = "DeletePartitions" # their versions stay; raw, manifests and quarantine are never deleted
    actions   = ["s3:DeleteObject"]
    resources = [for p in local.table_prefixes : "${aws_s3_bucket.lake.arn}/${p}*"]
  }

  statement {
    sid       = "ListLake" # partitions; for `replay` what runs published and received
    actions   = ["s3:ListBucket", "s3:ListBucketVersions"]
    resources = [aws_s3_bucket.lake.arn]

    condition {
      # IfExists: S3 asks for this right, without a prefix, before it says 404 and not 403 of a missing object. So it hides no name
      # from one who lists without a prefix; what it limits is what the program does.
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = [for p in concat(local.table_prefixes, [local.raw_prefix, local.manifest_prefix]) : "${p}*"]
    }
  }

  statement {
    sid       = "WriteRunLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.task["run"].arn}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "UseKeyThroughS3"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${var.region}.${local.dns_suffix}"]
      }
    }
  }
}

resource "aws_iam_role" "task" {
  name                 = "${local.global_name}-task"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.assume["ecs-tasks"].json

  lifecycle {
    create_before_destroy = true # no task is ever without
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "task"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

# --- scheduler: start this task, nothing else -----------------------------------------------------------------------------

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartTask"
    actions   = ["ecs:RunTask"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${local.account_id}:task-definition/${local.name}:*"] # any revision

    condition {
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [aws_ecs_cluster.main.arn]
    }
  }

  statement {
    sid       = "TagStartedTask"
    actions   = ["ecs:TagResource"]
    resources = ["arn:${local.partition}:ecs:${var.region}:${local.account_id}:task/${aws_ecs_cluster.main.name}/*"]

    condition {
      test     = "StringEquals"
      variable = "ecs:CreateAction"
      values   = ["RunTask"]
    }
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.task.arn, aws_iam_role.execution.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [local.service["ecs-tasks"]]
    }
  }

  statement {
    sid       = "KeepUndelivered"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.undelivered.arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${local.global_name}-scheduler"
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.assume["scheduler"].json

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}
