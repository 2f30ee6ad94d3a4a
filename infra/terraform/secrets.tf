# The application's password exists in Secrets Manager alone: it is made while applying and handed over by a write-only
# argument, so neither plan nor state holds it. uuid() draws from the system's generator for keys, 122 random bits each time;
# hexadecimal digits need no quoting on the way. No ephemeral resource: `terraform test` can't mock one.

resource "aws_secretsmanager_secret" "app" {
  # checkov:skip=CKV2_AWS_57: rotated by db_password_version and init-db (docs/deploy.md); a rotation function would be a second program to keep
  # checkov:skip=CKV_AWS_149: AWS's own key unless kms_key_arn is given
  name                    = "${local.name}/mysql"
  description             = "MySQL user of ${local.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.destroyable ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "app" {
  secret_id                = aws_secretsmanager_secret.app.id
  secret_string_wo_version = var.db_password_version
  secret_string_wo = jsonencode({
    username = local.mysql_user
    password = replace("${uuid()}${uuid()}", "-", "")
  })
}
