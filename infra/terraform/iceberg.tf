# The published tables as Apache Iceberg tables, off unless asked for: a database in Glue, the settings that turn it on, and the
# rights that the program then needs. Its tables the program makes itself, with the columns of the code that runs.

locals {
  iceberg_prefix   = "${var.s3_prefix}iceberg/"
  iceberg_settings = var.enable_iceberg ? { ICEBERG_CATALOG = "glue", ICEBERG_DATABASE = var.iceberg_database } : {}
  glue_arn         = "arn:${local.partition}:glue:${var.region}:${local.account_id}"
}

resource "aws_glue_catalog_database" "iceberg" {
  count       = var.enable_iceberg ? 1 : 0
  name        = var.iceberg_database
  description = "SpaceX launches as Iceberg tables, with snapshots"
}

data "aws_iam_policy_document" "iceberg" {
  statement {
    sid       = "ReadAndWriteIceberg" # the files of the tables, and the copies that they name
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.iceberg_prefix}*"]
  }

  statement {
    sid       = "DeleteFromIceberg" # `maintain`, and what a refused commit leaves; versions stay
    actions   = ["s3:DeleteObject"]
    resources = ["${aws_s3_bucket.lake.arn}/${local.iceberg_prefix}*"]
  }

  statement {
    sid       = "ListIceberg" # `maintain`
    actions   = ["s3:ListBucketVersions"]
    resources = [aws_s3_bucket.lake.arn]

    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["${local.iceberg_prefix}*"]
    }
  }

  statement {
    sid     = "KeepTables"
    actions = ["glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable"] # deleted where it can't be read, and made anew
    resources = concat(
      ["${local.glue_arn}:catalog", "${local.glue_arn}:database/${var.iceberg_database}"],
      [for t in local.tables : "${local.glue_arn}:table/${var.iceberg_database}/${t}"],
    )
  }

  statement {
    sid       = "SeeDatabase"
    actions   = ["glue:GetDatabase"]
    resources = ["${local.glue_arn}:catalog", "${local.glue_arn}:database/${var.iceberg_database}"]
  }
}

resource "aws_iam_role_policy" "iceberg" {
  count  = var.enable_iceberg ? 1 : 0
  name   = "iceberg"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.iceberg.json
}
