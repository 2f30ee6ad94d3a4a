# When the job runs.

variable "schedule_enabled" {
  description = "Whether the schedules run; off until an image is pushed and init-db has made the database's user."
  type        = bool
  default     = false

  validation {
    condition     = !var.schedule_enabled || var.image != null || var.image_tag != "not-pushed-yet"
    error_message = "Push an image and name it (image or image_tag) before the schedule is turned on."
  }
}

variable "schedule_expressions" {
  description = "When `run`, `verify` and, with Iceberg, `maintain` start. The next run is the retry of one that failed."
  type = object({
    run      = optional(string, "rate(1 hour)")
    verify   = optional(string, "cron(40 5 * * ? *)")
    maintain = optional(string, "cron(20 4 ? * SUN *)")
  })
  default = {}

  validation {
    condition = alltrue([for e in values(var.schedule_expressions) :
      can(regex("^rate\\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\\)$", e)) ||
      # Minutes and hours in range; and exactly one of day-of-month and day-of-week is a question mark.
      can(regex("^cron\\((\\*|([0-5]?[0-9])([-,/][0-5]?[0-9])*|\\*/[0-5]?[0-9]) (\\*|([01]?[0-9]|2[0-3])([-,/]([01]?[0-9]|2[0-3]))*|\\*/[0-9]{1,2}) (\\? [A-Z0-9*,/-]+ [A-Z0-9*,#/-]+|[A-Z0-9*,/-]+ [A-Z0-9*,/-]+ \\?) [0-9*,/-]+\\)$", e))
    ])
    error_message = "rate(1 hour), rate(30 minutes) or six fields as in cron(40 5 * * ? *), of which day of month or day of week is a ?."
  }
}

variable "schedule_timezone" {
  description = "Time zone of cron expressions."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_-]+)+)$", var.schedule_timezone))
    error_message = "UTC or a name such as America/New_York."
  }
}

variable "flexible_window_minutes" {
  description = "How late a task may start; 0: on time."
  type        = number
  default     = 5

  validation {
    condition     = var.flexible_window_minutes >= 0 && var.flexible_window_minutes <= 1440
    error_message = "0 to 1440 minutes."
  }
}
