# What somebody who asks questions through Athena needs, and no more: output `athena_reader_policy` is for a role of theirs.

data "aws_iam_policy_document" "athena_reader" {
  count = var.enable_athena ? 1 : 0

  statement {
    sid = "Ask"
    actions = [
      "athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults",
      "athena:ListQueryExecutions", "athena:BatchGetQueryExecution", "athena:GetWorkGroup",
      "athena:ListNamedQueries", "athena:GetNamedQuery", "athena:BatchGetNamedQuery",
    ]
    resources = [one(aws_athena_workgroup.main).arn]
  }

  statement {
    sid     = "SeeTables"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions"]
    resources = concat(["${local.glue_arn}:catalog"], flatten([
      for d in local.athena_databases : ["${local.glue_arn}:database/${d}", "${local.glue_arn}:table/${d}/*"]
    ]))
  }

  statement {
    sid       = "ReadTables"
    actions   = ["s3:GetObject"]
    resources = [for p in local.athena_prefixes : "${aws_s3_bucket.lake.arn}/${p}*"]
  }

  statement {
    sid       = "ListTables"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = [for p in local.athena_prefixes : "${p}*"]
    }
  }

  statement {
    sid       = "FindBuckets"
    actions   = ["s3:GetBucketLocation"]
    resources = [aws_s3_bucket.lake.arn, one(aws_s3_bucket.athena).arn]
  }

  statement {
    sid       = "KeepResults"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${one(aws_s3_bucket.athena).arn}/*"]
  }

  statement {
    sid       = "ListResults"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [one(aws_s3_bucket.athena).arn]
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

output "athena_reader_policy" {
  description = "Policy document for those who ask through Athena; null without enable_athena."
  value       = one(data.aws_iam_policy_document.athena_reader[*].json)
}

output "athena" {
  description = "Where to ask: workgroup and database; null without enable_athena."
  value       = var.enable_athena ? { workgroup = one(aws_athena_workgroup.main).name, database = local.athena_database } : null
}
