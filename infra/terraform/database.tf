locals {
  db_family = "mysql${join(".", slice(split(".", var.db_engine_version), 0, 2))}"
  db_logs   = ["error", "slowquery"]

  # With three numbers RDS would upgrade by itself, and the next apply would ask it to go back.
  db_version_is_pinned = length(split(".", var.db_engine_version)) == 3
}

resource "aws_db_subnet_group" "main" {
  name       = local.name
  subnet_ids = local.database_subnet_ids
}

# One for each family, the other unused and free: an upgrade that waits for the maintenance window needs both at once. A prefix and
# create_before_destroy, since a group in use can't be deleted.
resource "aws_db_parameter_group" "main" {
  for_each    = toset(["mysql8.0", "mysql8.4"])
  name_prefix = "${local.name}-"
  family      = each.key
  description = "MySQL as ${local.name} needs it"

  # All of these are dynamic: they take effect at once, without a restart.
  dynamic "parameter" {
    for_each = {
      local_infile             = "1" # the load is LOAD DATA LOCAL
      require_secure_transport = "1"
      character_set_server     = "utf8mb4"
      collation_server         = "utf8mb4_0900_ai_ci"
      slow_query_log           = "1"
      long_query_time          = "2"
      log_output               = "FILE"
    }

    content {
      name         = parameter.key
      value        = parameter.value
      apply_method = "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

moved {
  from = aws_db_parameter_group.main
  to   = aws_db_parameter_group.main["mysql8.4"]
}

# Made here, so that RDS does not make them without a retention.
resource "aws_cloudwatch_log_group" "database" {
  # checkov:skip=CKV_AWS_158: AWS's own key unless kms_key_arn is given
  # checkov:skip=CKV_AWS_338: log_retention_days decides
  for_each          = toset(local.db_logs)
  name              = "/aws/rds/instance/${local.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# The time of the first apply: part of the final snapshot's name, which must be free when an environment is destroyed again.
resource "terraform_data" "created" {
  input = plantimestamp()

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_instance" "main" {
  # checkov:skip=CKV_AWS_118: enhanced monitoring looks inside a second; this database works for a minute an hour
  # checkov:skip=CKV_AWS_353: performance insights do not exist for the smallest classes; the slow log is on
  # checkov:skip=CKV_AWS_354: no performance insights, see above
  # checkov:skip=CKV_AWS_161: the program logs in with a password over verified TLS; IAM tokens would be a second way in
  # checkov:skip=CKV_AWS_157: db_multi_az decides; prod turns it on
  # checkov:skip=CKV_AWS_293: db_deletion_protection decides; only dev turns it off
  # checkov:skip=CKV2_AWS_30: a general log would write every statement, the loaded data among them; slow and error logs are on
  # checkov:skip=CKV2_AWS_69: require_secure_transport is on in the parameter group; the check does not see dynamic blocks
  # checkov:skip=CKV2_AWS_60: copy_tags_to_snapshot is set; the check does not see it in every plan
  # checkov:skip=CKV_AWS_226: minor upgrades are RDS's business unless three numbers pin the version
  # checkov:skip=CKV_AWS_129: error and slow logs are exported; general and audit logs would hold the data
  identifier     = local.name
  engine         = "mysql"
  engine_version = var.db_engine_version
  instance_class = var.db_instance_class
  db_name        = var.db_name

  # RDS makes and rotates the master's password; the init-db task alone reads it.
  username                      = "admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  storage_type          = "gp3"
  allocated_storage     = var.db_storage_gb.start
  max_allocated_storage = var.db_storage_gb.most
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]
  publicly_accessible    = false
  multi_az               = var.db_multi_az
  parameter_group_name   = aws_db_parameter_group.main[local.db_family].name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  backup_retention_period   = var.db_backup_days
  backup_window             = var.db_windows.backup
  maintenance_window        = var.db_windows.maintenance
  copy_tags_to_snapshot     = true
  delete_automated_backups  = var.destroyable
  deletion_protection       = var.db_deletion_protection
  skip_final_snapshot       = !var.db_final_snapshot
  final_snapshot_identifier = "${local.name}-final-${formatdate("YYYYMMDDhhmmss", terraform_data.created.output)}"

  apply_immediately               = var.db_apply_immediately
  auto_minor_version_upgrade      = !local.db_version_is_pinned
  allow_major_version_upgrade     = true                                        # only a change of db_engine_version asks for one
  engine_lifecycle_support        = "open-source-rds-extended-support-disabled" # more than ten times the price of the instance
  enabled_cloudwatch_logs_exports = local.db_logs

  snapshot_identifier = try(var.db_restore.snapshot, null)

  dynamic "restore_to_point_in_time" {
    for_each = try(var.db_restore.instance, null)[*]

    content {
      source_db_instance_identifier = restore_to_point_in_time.value
      restore_time                  = var.db_restore.time
      use_latest_restorable_time    = var.db_restore.time == null ? true : null
    }
  }

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    # What an instance began with is history, and RDS takes its decision on extended support only when it makes or restores one.
    ignore_changes = [snapshot_identifier, restore_to_point_in_time, engine_lifecycle_support]
  }
}
