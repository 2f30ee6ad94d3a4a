# Where tasks and database are, and whom they reach.

variable "egress" {
  description = "How tasks reach the public API: nat (private subnets, one NAT gateway: 37 USD a month and more with traffic) or public (public subnets, an address a task, nothing reaches in: 0.15 USD)."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "public"], var.egress)
    error_message = "nat or public."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC that is made. Settled by the first apply."
  type        = string
  default     = "10.40.0.0/20"

  validation {
    condition     = can(cidrsubnets(var.vpc_cidr, 4, 4, 4, 4)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 99) <= 24
    error_message = "An IPv4 range from /16 to /24; four subnets are cut out of it."
  }
}

variable "existing_network" {
  description = "A VPC that is there already, with subnets for tasks (a way to the internet, public addresses if they need them) and for the database, and an S3 gateway endpoint if traffic to S3 shall cost nothing; null: one is made. Settled by the first apply."
  type = object({
    vpc_id              = string
    task_subnet_ids     = list(string)
    database_subnet_ids = list(string)
    assign_public_ip    = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.existing_network == null || (try(length(var.existing_network.task_subnet_ids), 0) >= 1 && try(length(var.existing_network.database_subnet_ids), 0) >= 2)
    error_message = "At least one subnet for tasks and two, in different zones, for the database."
  }
}

variable "zone_ids" {
  description = "Zones of the two subnets of each kind, by id (use1-az1): names mean another zone in each account. Empty: the first two that are not excluded. Settled when the subnets are made."
  type        = list(string)
  default     = []

  validation {
    condition     = contains([0, 2], length(var.zone_ids)) && length(distinct(var.zone_ids)) == length(var.zone_ids) && alltrue([for z in var.zone_ids : can(regex("^[a-z]{3}[a-z0-9]*-az[0-9]+$", z))])
    error_message = "Two different zone ids, such as use1-az1 and use1-az2, or none."
  }
}

variable "excluded_zone_ids" {
  description = "Zones never to choose: use1-az3 has no Fargate on ARM64; usw1-az2, cac1-az3 and apne1-az3 lack Fargate or NAT gateways."
  type        = set(string)
  default     = ["use1-az3", "usw1-az2", "cac1-az3", "apne1-az3"]
}

variable "task_egress" {
  description = "Whom tasks reach beside the database, by range or prefix list: the public API and AWS. Behind a proxy, its address and port; a DNS server of one's own, port 53 with tcp and udp."
  type = list(object({
    description    = string
    port           = number
    protocol       = optional(string, "tcp")
    cidr           = optional(string)
    prefix_list_id = optional(string)
  }))
  default = [{ description = "The launch API and AWS", port = 443, cidr = "0.0.0.0/0" }]

  validation {
    condition = alltrue([for e in var.task_egress :
      contains(["tcp", "udp"], e.protocol) && e.port >= 1 && e.port <= 65535 && (e.cidr == null) != (e.prefix_list_id == null) &&
      (e.cidr == null || can(cidrhost(e.cidr, 0)))
    ])
    error_message = "Each has a port, tcp or udp, and either a range (10.0.0.0/8) or a prefix list."
  }
}

variable "task_security_group_ids" {
  description = "Further security groups of tasks, beside the one that is made."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.task_security_group_ids) <= 4 && alltrue([for g in var.task_security_group_ids : startswith(g, "sg-")])
    error_message = "Up to four ids of security groups (sg-…): a task has at most five."
  }
}

variable "database_client_security_group_ids" {
  description = "Security groups of others who may reach the database: dashboards, a bastion host."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for g in var.database_client_security_group_ids : startswith(g, "sg-")])
    error_message = "Ids of security groups (sg-…)."
  }
}
