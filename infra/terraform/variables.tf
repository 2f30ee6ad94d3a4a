# What everything shares: names, tags, key, roles.

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "spacex-pipeline"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.project)) && length(var.project) >= 3 && length(var.project) <= 20
    error_message = "3 to 20 lower-case letters, digits and single hyphens: bucket and database are named after it."
  }
}

variable "environment" {
  description = "Second part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,9}$", var.environment))
    error_message = "2 to 10 lower-case letters and digits, such as dev or prod."
  }
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "us-east-1"
}

variable "tags" {
  description = "Tags that everything gets beside project, environment and managed_by."
  type        = map(string)
  default     = {}
}

variable "destroyable" {
  description = "Whether `terraform destroy` may delete a bucket with objects, a registry with images and secrets without delay."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Customer key for the bucket, database, secret, registry and log groups; null: AWS's own keys. Its policy must admit these services. Settled by the first apply."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "The ARN of a key (arn:aws:kms:…:key/…); an alias is none."
  }
}

variable "role_path" {
  description = "Path of the roles that are made."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9_+=,.@-]+/)*$", var.role_path))
    error_message = "A slash, or names between slashes: /pipelines/."
  }
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the rights of every role that is made; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "The ARN of a managed policy."
  }
}
