# What GitHub's workflows may do here (.github/workflows/deliver.yml, drift.yml). They prove who they are by a token of the run
# itself (OIDC), so that there is no key to keep, to rotate or to lose. Four roles: plan (pull requests) reads states, read (main) reads
# what there is, image pushes, deploy changes.

variable "github_repository" {
  description = "The repository whose workflows deliver, as owner/name; null: none does."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github_repository))
    error_message = "As owner/name."
  }
}

variable "github_oidc_provider_arn" {
  description = "GitHub's identity provider where the account has one already (it can have one only); null: it is made."
  type        = string
  default     = null
}

variable "environments" {
  description = "GitHub environments whose jobs may deploy; each should ask for an approval."
  type        = set(string)
  default     = ["dev", "prod"]
}

variable "role_path" {
  description = "Path of the roles of the environments, as role_path in ../terraform."
  type        = string
  default     = "/"
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds every role, these and those that a deployment makes; null: none."
  type        = string
  default     = null
}

locals {
  github = var.github_repository == null ? {} : {
    plan   = ["repo:${var.github_repository}:pull_request"]
    read   = ["repo:${var.github_repository}:ref:refs/heads/main"]
    image  = ["repo:${var.github_repository}:ref:refs/heads/main"]
    deploy = [for e in var.environments : "repo:${var.github_repository}:environment:${e}"]
  }
  github_provider_arn = var.github_oidc_provider_arn != null ? var.github_oidc_provider_arn : one(aws_iam_openid_connect_provider.github[*].arn)
}

resource "aws_iam_openid_connect_provider" "github" {
  count          = var.github_repository != null && var.github_oidc_provider_arn == null ? 1 : 0
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_service_principal" "main" {
  for_each     = toset(["ecs-tasks", "scheduler"])
  service_name = each.key
}

data "aws_iam_policy_document" "github" {
  for_each = local.github

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.github_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition { # this repository, and of it these branches or environments alone; no pattern
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value
    }
  }
}

resource "aws_iam_role" "github" {
  for_each             = local.github
  name                 = "${var.project}-${var.region}-github-${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy   = data.aws_iam_policy_document.github[each.key].json
}

# --- plan: what a plan without a refresh needs. A pull request's code runs before anybody has read it --------------------------

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }

  statement {
    sid       = "ReadStates" # no password is in them
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.state.arn}/${var.project}/*"]
  }

  statement {
    sid       = "ListZones"
    actions   = ["ec2:DescribeAvailabilityZones"]
    resources = ["*"] # AWS has no narrower resource for it
  }
}

resource "aws_iam_role_policy" "plan" {
  for_each = setintersection(keys(local.github), ["plan"])
  name     = "plan"
  role     = aws_iam_role.github[each.key].id
  policy   = data.aws_iam_policy_document.plan.json
}

# --- read: everything there is, for plans of what main holds ----------------------------------------------------------------

resource "aws_iam_role_policy_attachment" "read" {
  for_each   = setintersection(keys(local.github), ["read"])
  role       = aws_iam_role.github[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/ReadOnlyAccess"
}

data "aws_iam_policy_document" "read" {
  statement {
    sid       = "RefreshSecret" # the provider reads a secret to see whether it is there, and keeps nothing of it
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [for e in var.environments : "arn:${local.partition}:secretsmanager:${var.region}:${local.account_id}:secret:${var.project}-${e}/mysql-*"]
  }
}

resource "aws_iam_role_policy" "read" {
  for_each = setintersection(keys(local.github), ["read"])
  name     = "read"
  role     = aws_iam_role.github[each.key].id
  policy   = data.aws_iam_policy_document.read.json
}

# --- image: pushes into the shared registry, and reads what the scan found --------------------------------------------------

data "aws_iam_policy_document" "image" {
  statement {
    sid       = "RegistryLogin"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"] # AWS has no narrower resource for it
  }

  statement {
    sid = "PushAndScan"
    actions = [
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
      "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ]
    resources = [aws_ecr_repository.images.arn]
  }
}

resource "aws_iam_role_policy" "image" {
  for_each = setintersection(keys(local.github), ["image"])
  name     = "image"
  role     = aws_iam_role.github[each.key].id
  policy   = data.aws_iam_policy_document.image.json
}

# --- deploy: changes what environments consist of; of roles, only theirs ----------------------------------------------------

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each   = setintersection(keys(local.github), ["deploy"])
  role       = aws_iam_role.github[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/PowerUserAccess" # everything but IAM
}

locals {
  environment_role_arns = [for e in var.environments : "arn:${local.partition}:iam::${local.account_id}:role${var.role_path}${var.project}-${e}-*"]
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid = "KeepRoles"
    actions = [
      "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies",
      "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ]
    resources = local.environment_role_arns
  }

  # With a boundary, no role without it.
  statement {
    sid       = "MakeRoles"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"]
    resources = local.environment_role_arns

    dynamic "condition" {
      for_each = var.permissions_boundary_arn[*]

      content {
        test     = "StringEquals"
        variable = "iam:PermissionsBoundary"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid       = "HandOverRoles"
    actions   = ["iam:PassRole"]
    resources = local.environment_role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for s in data.aws_service_principal.main : s.name]
    }
  }
}

resource "aws_iam_role_policy" "deploy" {
  for_each = setintersection(keys(local.github), ["deploy"])
  name     = "roles"
  role     = aws_iam_role.github[each.key].id
  policy   = data.aws_iam_policy_document.deploy.json
}

output "github_variables" {
  description = "Variables to set in the GitHub repository."
  value = merge(
    { AWS_REGION = var.region, IMAGE_REPOSITORY = aws_ecr_repository.images.repository_url },
    { for key, role in aws_iam_role.github : "AWS_${upper(key)}_ROLE" => role.arn },
  )
}
