# run: what the program sends itself, one stream a run. console: everything on stdout, the metrics' line among it. spark: likewise, of jobs.

resource "aws_cloudwatch_log_group" "task" {
  # checkov:skip=CKV_AWS_158: AWS's own key unless kms_key_arn is given
  # checkov:skip=CKV_AWS_338: log_retention_days decides
  for_each          = toset(concat(["run", "console"], var.enable_spark ? ["spark"] : []))
  name              = "/${var.project}/${var.environment}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
