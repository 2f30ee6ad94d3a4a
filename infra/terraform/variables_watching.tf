# What alarms watch for, and who is told.

variable "alert_emails" {
  description = "Addresses that alarms are sent to; each must confirm AWS's mail once."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", a))])
    error_message = "Mail addresses."
  }
}

variable "alert_topic_arns" {
  description = "SNS topics that are there already, for alarms and events; their policies must admit cloudwatch, events and events.rds. Empty: one is made."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.alert_topic_arns) <= 4 && alltrue([for a in var.alert_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", a))])
    error_message = "Up to four ARNs of standard topics; an alarm has at most five actions."
  }
}

variable "runbook_url" {
  description = "Where the runbook is read; alarms link to its sections."
  type        = string
  default     = "docs/runbook.md"
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch knows 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 and some longer spans."
  }
}

variable "success_within_hours" {
  description = "Alarm when no run has succeeded for so long; two intervals of the schedule are a good choice."
  type        = number
  default     = 4

  validation {
    condition     = var.success_within_hours >= 1 && var.success_within_hours <= 168 && floor(var.success_within_hours) == var.success_within_hours
    error_message = "1 to 168 whole hours: CloudWatch looks back seven days at most."
  }

  validation {
    condition     = var.success_within_hours >= local.least_hours.run
    error_message = "Less than the schedule's own longest pause: it would ring though all is well. At least ${local.least_hours.run} hours with ${var.schedule_expressions.run}."
  }
}

variable "rejected_limit" {
  description = "Alarm when a run rejects more launches; above MAX_REJECTED_RATIO it stops by itself."
  type        = number
  default     = 5

  validation {
    condition     = var.rejected_limit >= 0
    error_message = "0 or more."
  }
}

variable "stale_after_days" {
  description = "Warn when the newest past launch is older, and alarm if the source is alive."
  type        = number
  default     = 30

  validation {
    condition     = var.stale_after_days >= 1 && var.stale_after_days <= 36500 && floor(var.stale_after_days) == var.stale_after_days
    error_message = "1 to 36500 whole days."
  }
}

variable "db_connections_limit" {
  description = "Alarm when the database has more connections; a run holds one or two."
  type        = number
  default     = 40

  validation {
    condition     = var.db_connections_limit >= 1
    error_message = "1 or more."
  }
}
