# What the job does, when, and who is told.

variable "image_tag" {
  description = "Tag of the image to run, as `make image-push` printed it."
  type        = string
  default     = "not-pushed-yet"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && lower(var.image_tag) != "latest"
    error_message = "An immutable tag such as a git revision; latest says nothing about what runs."
  }
}

variable "architecture" {
  description = "Processor of the image and of the tasks; `make image-push` builds for it."
  type        = string
  default     = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.architecture)
    error_message = "ARM64 or X86_64."
  }
}

variable "task_size" {
  description = "CPU units and MiB of a task."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 512, memory = 2048 }

  # Neither the provider nor RegisterTaskDefinition's mock refuses an impossible pair; Fargate does, at the first run.
  validation {
    condition = contains(lookup({
      "256"   = [512, 1024, 2048]
      "512"   = range(1024, 4097, 1024)
      "1024"  = range(2048, 8193, 1024)
      "2048"  = range(4096, 16385, 1024)
      "4096"  = range(8192, 30721, 1024)
      "8192"  = range(16384, 61441, 4096)
      "16384" = range(32768, 122881, 8192)
    }, tostring(var.task_size.cpu), []), var.task_size.memory)
    error_message = "Fargate has no such pair of CPU units and MiB; 512 takes 1024, 2048, 3072 or 4096."
  }
}

variable "spot" {
  description = "Whether tasks run on Fargate Spot: cheaper, and stopped at two minutes' notice; the next run repairs that."
  type        = bool
  default     = false
}

variable "pipeline_source" {
  description = "Which API: launch_library, or spacex (which answers, and has not changed since 2022)."
  type        = string
  default     = "launch_library"

  validation {
    condition     = contains(["launch_library", "spacex"], var.pipeline_source)
    error_message = "launch_library or spacex."
  }
}

variable "launch_library_token_secret_arn" {
  description = "Secret whose whole text is a Launch Library token, which raises the API's limit of requests; null: none."
  type        = string
  default     = null

  validation {
    condition     = var.launch_library_token_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:", var.launch_library_token_secret_arn))
    error_message = "The ARN of a secret in Secrets Manager."
  }
}

variable "s3_prefix" {
  description = "Prefix of every key in the bucket; empty: none."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([A-Za-z0-9_-]+/)*$", var.s3_prefix))
    error_message = "Empty, or names that each end with a slash: lake/ or team/lake/."
  }
}

variable "settings" {
  description = "Further settings of the program, by the name of the environment variable."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.settings), [
      "SOURCE_URL", "SPACEX_API_VERSION", "LAUNCH_LIBRARY_PROVIDER_ID", "FULL_SNAPSHOT_DAYS", "LOG_LEVEL",
      "RUN_TIMEOUT_S", "MAX_REJECTED_RATIO", "MAX_SHRINK_RATIO",
    ])) == 0
    error_message = "A name that the program does not know, that Terraform sets itself, or that is a secret."
  }
}

# --- schedule -----------------------------------------------------------------------------------------------------------

variable "schedule_enabled" {
  description = "Whether the schedules run; off until an image is pushed and init-db has made the database's user."
  type        = bool
  default     = false

  validation {
    condition     = !var.schedule_enabled || var.image_tag != "not-pushed-yet"
    error_message = "Push an image and set image_tag before the schedule is turned on."
  }
}

variable "schedule_expressions" {
  description = "When `run` and `verify` start. The next run is the retry of one that failed."
  type        = object({ run = optional(string, "rate(1 hour)"), verify = optional(string, "cron(40 5 * * ? *)") })
  default     = {}

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
