# What the first apply settles. Later changes of these would make database, lake or registry anew, or would be another environment's
# variables on this one's state: the plan stops before anything is touched.

locals {
  settled = {
    stack       = "${local.name} in ${var.region} of account ${local.account_id}"
    kms_key_arn = var.kms_key_arn
    db_name     = var.db_name
    network     = local.make_network ? var.vpc_cidr : var.existing_network.vpc_id
  }
}

resource "terraform_data" "settled" {
  input = local.settled

  lifecycle {
    ignore_changes = [input] # the output stays what it was

    postcondition {
      condition     = self.output.stack == local.settled.stack
      error_message = "This state is that of ${self.output.stack}; the variables are those of ${local.settled.stack}. For another environment, region or account use its own state (infra/tf ENVIRONMENT …); to rename, make a new stack and restore into it."
    }

    postcondition {
      condition     = self.output.kms_key_arn == local.settled.kms_key_arn
      error_message = "kms_key_arn is settled by the first apply: another key would replace database and registry, with all that they hold. Make a new stack with the key, and restore into it."
    }

    postcondition {
      condition     = self.output.db_name == local.settled.db_name
      error_message = "db_name is settled by the first apply: another name would replace the database instance."
    }

    postcondition {
      condition     = self.output.network == local.settled.network
      error_message = "vpc_cidr and existing_network are settled by the first apply: the database can't follow into another network. Make a new stack there, and restore into it."
    }
  }
}
