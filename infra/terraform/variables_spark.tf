# Apache Spark.

variable "enable_spark" {
  description = "Whether there is an application of EMR Serverless, for replays that are too long for one machine."
  type        = bool
  default     = false
}

variable "spark_release" {
  description = "EMR release of the application; the program is tested with its Spark, 4.0."
  type        = string
  default     = "emr-spark-8.0.0"

  validation {
    condition     = can(regex("^emr-spark-8\\.0\\.[0-9]+$", var.spark_release))
    error_message = "A release with Spark 4.0: emr-spark-8.0.0, or a later one of 8.0."
  }
}

variable "spark_workers" {
  description = "Most workers at a time, the driver among them, each with 4 vCPU and 16 GB: some 0.25 USD an hour each. New accounts are allowed 16 vCPU."
  type        = number
  default     = 4

  validation {
    condition     = var.spark_workers >= 2 && var.spark_workers <= 200 && floor(var.spark_workers) == var.spark_workers
    error_message = "A whole number from 2, a driver and an executor, to 200: each takes an address in the tasks' subnets."
  }
}
