# Apache Iceberg.

variable "enable_iceberg" {
  description = "Whether runs publish the tables as Iceberg tables too, for Athena, Spark and others: snapshots that readers need no manifest for."
  type        = bool
  default     = false
}

variable "iceberg_database" {
  description = "Glue database of the Iceberg tables; one for each environment of an account."
  type        = string
  default     = "spacex"

  validation {
    condition     = can(regex("^[a-z0-9_]{1,64}$", var.iceberg_database))
    error_message = "1 to 64 lower-case letters, digits and underscores, as ICEBERG_DATABASE takes them."
  }
}
