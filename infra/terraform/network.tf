locals {
  make_network = var.existing_network == null
  make_nat     = local.make_network && var.egress == "nat"
  zone_ids     = length(var.zone_ids) > 0 ? var.zone_ids : try(slice(data.aws_availability_zones.available.zone_ids, 0, 2), [])
  zones        = local.make_network ? 2 : 0
  subnet_cidrs = cidrsubnets(var.vpc_cidr, 4, 4, 4, 4)

  vpc_id              = local.make_network ? aws_vpc.main[0].id : var.existing_network.vpc_id
  database_subnet_ids = local.make_network ? aws_subnet.private[*].id : var.existing_network.database_subnet_ids
  task_subnet_ids     = !local.make_network ? var.existing_network.task_subnet_ids : local.make_nat ? aws_subnet.private[*].id : aws_subnet.public[*].id
  task_public_ip      = local.make_network ? var.egress == "public" : var.existing_network.assign_public_ip
}

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394: two are chosen when the subnets are made, and stay; what is listed later changes nothing
  state            = "available"
  exclude_zone_ids = var.excluded_zone_ids

  filter { # local zones have neither RDS nor Fargate
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(var.zone_ids) > 0 || length(self.zone_ids) >= 2
      error_message = "Fewer than two zones are left in ${var.region}: see excluded_zone_ids."
    }
  }
}

resource "aws_vpc" "main" {
  # checkov:skip=CKV2_AWS_11: flow logs cost more than one job an hour is worth; who may reach whom is in the security groups
  count                = local.make_network ? 1 : 0
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = local.name }
}

resource "aws_default_security_group" "closed" {
  count  = local.make_network ? 1 : 0
  vpc_id = aws_vpc.main[0].id # no rules: what is forgotten reaches nothing
}

resource "aws_internet_gateway" "main" {
  count  = local.make_network ? 1 : 0
  vpc_id = aws_vpc.main[0].id
  tags   = { Name = local.name }
}

resource "aws_subnet" "public" {
  count                = local.zones
  vpc_id               = aws_vpc.main[0].id
  availability_zone_id = local.zone_ids[count.index]
  cidr_block           = local.subnet_cidrs[count.index]
  tags                 = { Name = "${local.name}-public-${count.index + 1}" }

  lifecycle {
    ignore_changes = [availability_zone_id] # nothing moves because AWS lists its zones anew
  }
}

resource "aws_subnet" "private" {
  count                = local.zones
  vpc_id               = aws_vpc.main[0].id
  availability_zone_id = local.zone_ids[count.index]
  cidr_block           = local.subnet_cidrs[2 + count.index]
  tags                 = { Name = "${local.name}-private-${count.index + 1}" }

  lifecycle {
    ignore_changes = [availability_zone_id] # the database is in them
  }
}

resource "aws_route_table" "public" {
  count  = local.make_network ? 1 : 0
  vpc_id = aws_vpc.main[0].id
  tags   = { Name = "${local.name}-public" }
}

resource "aws_route_table" "private" {
  count  = local.make_network ? 1 : 0
  vpc_id = aws_vpc.main[0].id
  tags   = { Name = "${local.name}-private" }
}

resource "aws_route" "public_to_internet" {
  count                  = local.make_network ? 1 : 0
  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main[0].id
}

resource "aws_route" "private_to_nat" {
  count                  = local.make_nat ? 1 : 0
  route_table_id         = aws_route_table.private[0].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[0].id
}

resource "aws_route_table_association" "public" {
  count          = local.zones
  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_route_table_association" "private" {
  count          = local.zones
  subnet_id      = aws_subnet.private[count.index].id
  route_table_id = aws_route_table.private[0].id
}

resource "aws_eip" "nat" {
  count  = local.make_nat ? 1 : 0
  domain = "vpc"
  tags   = { Name = "${local.name}-nat" }
}

# One, not one a zone: when its zone fails, runs fail until it is back, and the next run repairs what they left.
resource "aws_nat_gateway" "main" {
  count         = local.make_nat ? 1 : 0
  allocation_id = aws_eip.nat[0].id
  subnet_id     = aws_subnet.public[0].id
  tags          = { Name = local.name }
  depends_on    = [aws_internet_gateway.main]
}

# Free, and keeps the lake's traffic away from the NAT gateway, which is paid by the gigabyte.
resource "aws_vpc_endpoint" "s3" {
  count             = local.make_network ? 1 : 0
  vpc_id            = aws_vpc.main[0].id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.public[0].id, aws_route_table.private[0].id]
  tags              = { Name = "${local.name}-s3" }
}
