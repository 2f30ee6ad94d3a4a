# How big the database is, and how careful one is with it.

variable "db_name" {
  description = "MySQL database, made with the instance. Settled by the first apply."
  type        = string
  default     = "spacex"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,63}$", var.db_name))
    error_message = "1 to 64 lower-case letters, digits and underscores, a letter first."
  }
}

variable "db_engine_version" {
  description = "MySQL version; two numbers let RDS choose and renew the last one, three pin it. 8.0 is out of standard support, and only a step on the way to 8.4."
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

variable "db_apply_immediately" {
  description = "Whether a change that restarts the database is made with the apply; else in the maintenance window."
  type        = bool
  default     = false
}

variable "db_windows" {
  description = "When backups are taken and changes are made, in UTC; they must not overlap."
  type        = object({ backup = optional(string, "08:00-08:30"), maintenance = optional(string, "sun:09:00-sun:09:30") })
  default     = {}

  validation {
    condition = (
      can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$", var.db_windows.backup)) &&
      can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.db_windows.maintenance))
    )
    error_message = "As in 08:00-08:30 and sun:09:00-sun:09:30."
  }
}

variable "db_restore" {
  description = "What a new instance begins with: a snapshot, or another instance as it was at a time (or at the latest). Looked at only when the instance is made (docs/runbook.md); null: empty."
  type        = object({ snapshot = optional(string), instance = optional(string), time = optional(string) })
  default     = null

  validation {
    condition = var.db_restore == null || (
      (try(var.db_restore.snapshot, null) == null) != (try(var.db_restore.instance, null) == null) &&
      (try(var.db_restore.time, null) == null || try(var.db_restore.instance, null) != null && can(formatdate("YYYY", var.db_restore.time)))
    )
    error_message = "Either a snapshot, or an instance with or without a time (2026-01-31T06:00:00Z)."
  }
}
