provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, {
      project     = var.project
      environment = var.environment
      managed_by  = "terraform"
    })
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

# Each partition has its own names for some services.
data "aws_service_principal" "main" {
  for_each     = toset(["cloudwatch", "ecs-tasks", "emr-serverless", "events", "events.rds", "scheduler", "sns"])
  service_name = each.key
}
