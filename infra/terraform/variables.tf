# What is made, and how big. What the job does and who is told: variables_job.tf.

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "spacex-pipeline"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.project))
    error_message = "3 to 20 lower-case letters, digits and hyphens: bucket names are built from it."
  }
}

variable "environment" {
  description = "Second part of every name, and the dimension of the metrics."
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
  description = "Customer key for the bucket, database, secret, registry and log groups; null: AWS's own keys. Its policy must admit these services."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "The ARN of a key (arn:aws:kms:…:key/…); an alias is none."
  }
}

# --- network ------------------------------------------------------------------------------------------------------------

variable "egress" {
  description = "How tasks reach the public API: nat (private subnets, one NAT gateway: 37 USD a month and more with traffic) or public (public subnets, an address a task, nothing reaches in: 0.15 USD)."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "public"], var.egress)
    error_message = "nat or public."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made."
  type        = string
  default     = "10.40.0.0/20"

  validation {
    condition     = can(cidrsubnets(var.vpc_cidr, 4, 4, 4, 4)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 99) <= 24
    error_message = "An IPv4 range from /16 to /24; four subnets are cut out of it."
  }
}

variable "existing_network" {
  description = "A VPC that is there already, with subnets for tasks (a way to the internet, public addresses if they need them) and for the database, and an S3 gateway endpoint if traffic to S3 shall cost nothing; null: one is made."
  type = object({
    vpc_id              = string
    task_subnet_ids     = list(string)
    database_subnet_ids = list(string)
    assign_public_ip    = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.existing_network == null || (try(length(var.existing_network.task_subnet_ids), 0) >= 1 && try(length(var.existing_network.database_subnet_ids), 0) >= 2)
    error_message = "At least one subnet for tasks and two, in different zones, for the database."
  }
}

# --- database -----------------------------------------------------------------------------------------------------------

variable "db_name" {
  description = "MySQL database, made with the instance."
  type        = string
  default     = "spacex"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,63}$", var.db_name))
    error_message = "1 to 64 lower-case letters, digits and underscores, a letter first."
  }
}

variable "db_engine_version" {
  description = "MySQL version; two numbers let RDS choose and renew the last one."
  type        = string
  default     = "8.4"

  validation {
    condition     = can(regex("^(8\\.0|8\\.4)(\\.[0-9]+)?$", var.db_engine_version))
    error_message = "8.0 or 8.4, with or without a third number: the parameter group knows these families."
  }
}

variable "db_instance_class" {
  description = "Size of the instance."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.db_instance_class))
    error_message = "Such as db.t4g.micro."
  }
}

variable "db_storage_gb" {
  description = "Storage at the start and the most that it may grow to, in GiB."
  type        = object({ start = number, most = number })
  default     = { start = 20, most = 100 }

  validation {
    condition     = var.db_storage_gb.start >= 20 && var.db_storage_gb.most >= 1.1 * var.db_storage_gb.start
    error_message = "gp3 starts at 20 GiB, and RDS grows it only if the most is at least a tenth above the start."
  }
}

variable "db_multi_az" {
  description = "Whether a standby in another zone takes over."
  type        = bool
  default     = false
}

variable "db_backup_days" {
  description = "How long backups and point-in-time recovery reach back."
  type        = number
  default     = 7

  validation {
    condition     = var.db_backup_days >= 1 && var.db_backup_days <= 35
    error_message = "1 to 35 days; 0 would turn point-in-time recovery off."
  }
}

variable "db_deletion_protection" {
  description = "Whether RDS refuses to delete the instance."
  type        = bool
  default     = true
}

variable "db_final_snapshot" {
  description = "Whether a snapshot is taken before the instance is deleted."
  type        = bool
  default     = true
}

variable "db_password_version" {
  description = "Raise it for a new password of the application's user, then run init-db (docs/deploy.md)."
  type        = number
  default     = 1

  validation {
    condition     = var.db_password_version >= 1 && floor(var.db_password_version) == var.db_password_version
    error_message = "A whole number from 1."
  }
}
