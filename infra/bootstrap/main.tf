# What an account has once: the bucket that keeps Terraform's states, the registry that environments share, and what a delivery from
# GitHub may do. Made before everything else, with a state of its own on the disk of whoever makes it. Lost, that state is no harm:
# `terraform import aws_s3_bucket.state <name>`.

terraform {
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}

variable "region" {
  description = "AWS region of the bucket, and of the environments."
  type        = string
  default     = "us-east-1"
}

variable "project" {
  description = "First part of every name, as in ../terraform."
  type        = string
  default     = "spacex-pipeline"
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV_AWS_18: who reads and writes a state is in CloudTrail
  # checkov:skip=CKV_AWS_144: a lost state can be imported again; a second region is not worth it
  # checkov:skip=CKV_AWS_145: AWS's own key; no password is in the states
  # checkov:skip=CKV2_AWS_62: nobody listens to the bucket
  bucket = "terraform-state-${local.account_id}-${var.region}"

  lifecycle {
    prevent_destroy = true # it holds what says what exists
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket     = aws_s3_bucket.state.id
  depends_on = [aws_s3_bucket_versioning.state]

  rule {
    id     = "old-states"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 365
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]

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

resource "aws_s3_bucket_policy" "state" {
  bucket     = aws_s3_bucket.state.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.state]
}

output "backend" {
  description = "Where states are: the first lines of ../terraform/env/<environment>.s3.tfbackend."
  value       = "bucket = \"${aws_s3_bucket.state.id}\"\nregion = \"${var.region}\"\n"
}
