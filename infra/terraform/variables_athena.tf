# Glue and Athena.

variable "enable_athena" {
  description = "Whether Glue knows the tables and Athena has a workgroup with saved queries."
  type        = bool
  default     = false
}

variable "files_database" {
  description = "Glue database of the tables by path; one for each environment of an account. Iceberg's tables are in another."
  type        = string
  default     = "spacex_files"

  validation {
    condition     = can(regex("^[a-z0-9_]{1,64}$", var.files_database))
    error_message = "Lower-case letters, digits and underscores: in SQL other names need quotes."
  }
}

variable "athena_scan_limit_mb" {
  description = "Most that one query may read, MiB; the whole lake has some megabytes, and a query costs 5 dollars a terabyte."
  type        = number
  default     = 1024

  validation {
    condition     = var.athena_scan_limit_mb >= 10 && floor(var.athena_scan_limit_mb) == var.athena_scan_limit_mb
    error_message = "A whole number of MiB, at least the 10 that Athena charges for any query."
  }
}
