# Where Athena puts the results of queries: a bucket of its own, since in the lake nothing current ever expires.

resource "aws_s3_bucket" "athena" {
  # checkov:skip=CKV_AWS_18: results of queries, which Athena's own history lists
  # checkov:skip=CKV_AWS_21: results are asked for again, not restored
  # checkov:skip=CKV_AWS_144: results are asked for again, not restored
  # checkov:skip=CKV2_AWS_62: nobody listens to the bucket
  # checkov:skip=CKV_AWS_145: AWS's own key unless kms_key_arn is given; the facts in it are public
  count         = var.enable_athena ? 1 : 0
  bucket        = "${local.name}-athena-${local.account_id}-${var.region}"
  force_destroy = true # nothing in it is the only one
}

resource "aws_s3_bucket_server_side_encryption_configuration" "athena" {
  count  = var.enable_athena ? 1 : 0
  bucket = one(aws_s3_bucket.athena).id

  rule {
    bucket_key_enabled = var.kms_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "athena" {
  count  = var.enable_athena ? 1 : 0
  bucket = one(aws_s3_bucket.athena).id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "athena" {
  count                   = var.enable_athena ? 1 : 0
  bucket                  = one(aws_s3_bucket.athena).id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "athena_tls_only" {
  count = var.enable_athena ? 1 : 0

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [one(aws_s3_bucket.athena).arn, "${one(aws_s3_bucket.athena).arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "athena" {
  count      = var.enable_athena ? 1 : 0
  bucket     = one(aws_s3_bucket.athena).id
  policy     = one(data.aws_iam_policy_document.athena_tls_only).json
  depends_on = [aws_s3_bucket_public_access_block.athena] # S3 refuses to change both at once
}

resource "aws_s3_bucket_lifecycle_configuration" "athena" {
  count  = var.enable_athena ? 1 : 0
  bucket = one(aws_s3_bucket.athena).id

  rule {
    id     = "results-are-asked-for-again"
    status = "Enabled"

    filter {}

    expiration {
      days = 30
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}
