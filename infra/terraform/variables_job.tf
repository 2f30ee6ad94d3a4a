# Which image runs, on what machine, with which settings.

variable "image_tag" {
  description = "Tag of the image to run, in the environment's own registry; `image` names one in another."
  type        = string
  default     = "not-pushed-yet"

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$", var.image_tag)) && lower(var.image_tag) != "latest"
    error_message = "An immutable tag such as a git revision; latest says nothing about what runs."
  }
}

variable "image" {
  description = "The image to run, by full reference with a digest or tag, as `make image-push` prints it; null: image_tag in the environment's own registry."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || (can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(lower(coalesce(var.image, "-")), ":latest"))
    error_message = "A registry, a repository and a tag or digest: 123456789012.dkr.ecr.us-east-1.amazonaws.com/spacex-pipeline@sha256:…"
  }
}

variable "architecture" {
  description = "Processor of the tasks; `make image-push` builds for both."
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
    condition     = var.launch_library_token_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^:]+$", var.launch_library_token_secret_arn))
    error_message = "The ARN of a secret in Secrets Manager, without the name of a key after it: the secret's whole text is the token."
  }
}

variable "launch_library_token_kms_key_arn" {
  description = "Customer key of that secret, where it is another than kms_key_arn."
  type        = string
  default     = null

  validation {
    condition     = var.launch_library_token_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.launch_library_token_kms_key_arn))
    error_message = "The ARN of a key (arn:aws:kms:…:key/…); an alias is none."
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
  description = "Further settings of the program and of its network, by the name of the environment variable."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.settings), [
      "SOURCE_URL", "SPACEX_API_VERSION", "LAUNCH_LIBRARY_PROVIDER_ID", "FULL_SNAPSHOT_DAYS", "LOG_LEVEL",
      "RUN_TIMEOUT_S", "MAX_REJECTED_RATIO", "MAX_SHRINK_RATIO",
      # What requests and boto3 know
      "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
    ])) == 0
    error_message = "A name that the program does not know, that Terraform sets itself, or that is a secret."
  }

  # What the program would refuse (app/settings.py); tests/fixtures/settings.yaml has the cases that both are held to. Empty: not set.
  validation {
    condition = alltrue([for value in values(var.settings) :
      value == trimspace(value) && !can(regex("^[\"']|[\"']$|[[:cntrl:]]|\uFEFF", value))
    ])
    error_message = "A value begins or ends with a space or a quotation mark, or holds a line end or another control character."
  }

  validation {
    condition = alltrue([for value in [lookup(var.settings, "SOURCE_URL", "")] : value == "" || (
      can(regex("^(?i:https?)://([A-Za-z0-9][A-Za-z0-9._-]*|\\[[0-9A-Fa-f:.]+\\])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/[!-~]*)?$", value)) &&
      !can(regex("[?#]|/(v[45]|latest|2\\.[0-9]+\\.[0-9]+)(/.*)?$", value))
    )])
    error_message = "SOURCE_URL is https://api.example or http://, without a version such as /v5 at its end, a user, a ? or a #: the program adds version and endpoint itself."
  }

  validation {
    condition = alltrue([
      contains(["", "v4", "v5"], lower(lookup(var.settings, "SPACEX_API_VERSION", ""))),
      contains(["", "DEBUG", "INFO", "WARNING", "ERROR"], upper(lookup(var.settings, "LOG_LEVEL", ""))),
    ])
    error_message = "SPACEX_API_VERSION is v4 or v5, LOG_LEVEL is DEBUG, INFO, WARNING or ERROR."
  }

  validation {
    condition = alltrue([for name, most in { LAUNCH_LIBRARY_PROVIDER_ID = [1, 2147483647], FULL_SNAPSHOT_DAYS = [1, 3650], RUN_TIMEOUT_S = [10, 86400] } :
      lookup(var.settings, name, "") == "" || (can(regex("^[0-9]{1,18}$", var.settings[name])) && try(tonumber(var.settings[name]) >= most[0] && tonumber(var.settings[name]) <= most[1], false))
    ])
    error_message = "LAUNCH_LIBRARY_PROVIDER_ID, FULL_SNAPSHOT_DAYS (at most 3650) and RUN_TIMEOUT_S (10 to 86400) are whole numbers, in digits alone."
  }

  validation {
    condition = alltrue([for name in ["MAX_REJECTED_RATIO", "MAX_SHRINK_RATIO"] :
      lookup(var.settings, name, "") == "" || (can(regex("^([0-9]+(\\.[0-9]+)?|\\.[0-9]+)([eE][+-]?[0-9]{1,3})?$", var.settings[name])) && try(tonumber(var.settings[name]) <= 1, false))
    ])
    error_message = "MAX_REJECTED_RATIO and MAX_SHRINK_RATIO are numbers from 0 to 1, such as 0.05."
  }
}
