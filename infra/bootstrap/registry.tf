# The registry that all environments pull from: what prod runs are the very bytes that ran in dev. Nothing in it expires: which image an
# environment runs is known there, not here. 0.10 USD a GB and month; an image is some 0.15 GB for each processor.

resource "aws_ecr_repository" "images" {
  # checkov:skip=CKV_AWS_136: AWS's own key; the image holds no secret
  name                 = var.project
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  lifecycle {
    prevent_destroy = true # environments run what is in it
  }
}

variable "reader_account_ids" {
  description = "Other accounts, whose environments pull from this registry too."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.reader_account_ids : can(regex("^[0-9]{12}$", a))])
    error_message = "Account ids of twelve digits."
  }
}

data "aws_iam_policy_document" "readers" {
  count = length(var.reader_account_ids) > 0 ? 1 : 0

  statement {
    sid     = "Pull"
    actions = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]

    principals {
      type        = "AWS"
      identifiers = [for a in var.reader_account_ids : "arn:${local.partition}:iam::${a}:root"]
    }
  }
}

resource "aws_ecr_repository_policy" "readers" {
  count      = length(var.reader_account_ids) > 0 ? 1 : 0
  repository = aws_ecr_repository.images.name
  policy     = data.aws_iam_policy_document.readers[0].json
}

output "repository_url" {
  description = "Where `make image-push` pushes."
  value       = aws_ecr_repository.images.repository_url
}
