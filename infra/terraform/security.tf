locals {
  task_security_group_ids = concat([aws_security_group.task.id], var.task_security_group_ids)
}

# Who reaches whom. Groups with a prefix, made before the old one goes: a group in use can't be deleted.

resource "aws_security_group" "task" {
  # checkov:skip=CKV2_AWS_5: the schedule and the commands that a person pastes attach it, which the check does not know
  name_prefix = "${local.name}-task-"
  description = "Tasks of ${local.name}"
  vpc_id      = local.vpc_id
  tags        = { Name = "${local.name}-task" }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "database" {
  name_prefix = "${local.name}-database-"
  description = "Database of ${local.name}"
  vpc_id      = local.vpc_id
  tags        = { Name = "${local.name}-database" }

  lifecycle {
    create_before_destroy = true
  }
}

# The API, the registry, S3, logs and secrets: all HTTPS, and their addresses change. Names are resolved by the VPC itself.
resource "aws_vpc_security_group_egress_rule" "task" {
  for_each          = { for e in var.task_egress : "${e.protocol} ${e.port} ${coalesce(e.cidr, e.prefix_list_id)}" => e }
  security_group_id = aws_security_group.task.id
  description       = each.value.description
  cidr_ipv4         = each.value.cidr
  prefix_list_id    = each.value.prefix_list_id
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
}

moved {
  from = aws_vpc_security_group_egress_rule.task_to_https
  to   = aws_vpc_security_group_egress_rule.task["tcp 443 0.0.0.0/0"]
}

resource "aws_vpc_security_group_egress_rule" "task_to_database" {
  security_group_id            = aws_security_group.task.id
  description                  = "MySQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
}

resource "aws_vpc_security_group_ingress_rule" "database_from_task" {
  security_group_id            = aws_security_group.database.id
  description                  = "MySQL from tasks"
  referenced_security_group_id = aws_security_group.task.id
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
}

resource "aws_vpc_security_group_ingress_rule" "database_from_client" {
  for_each                     = var.database_client_security_group_ids
  security_group_id            = aws_security_group.database.id
  description                  = "MySQL from others"
  referenced_security_group_id = each.key
  ip_protocol                  = "tcp"
  from_port                    = 3306
  to_port                      = 3306
}
