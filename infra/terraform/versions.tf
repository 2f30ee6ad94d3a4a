terraform {
  # 1.11 brought write-only arguments, which keep the application's password out of the state; to OpenTofu as well.
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}
