locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  dns_suffix = data.aws_partition.current.dns_suffix
  service    = { for key, s in data.aws_service_principal.main : key => s.name }

  # Names of what is the account's and not the region's: roles, dashboards.
  global_name = "${local.name}-${var.region}"

  # --- what the image and the program promise (tests/infra compares both) ---
  container_name = "pipeline"
  user           = "10001:10001"
  temp_path      = "/tmp"
  rds_ca_path    = "/etc/ssl/rds/global-bundle.pem" # the image brings it
  mysql_user     = "spacex_pipeline"

  # Another run holds the lock: the program leaves with this, and nothing is wrong.
  exit_lock_held = 7

  # --- the contract's places in the bucket ---
  tables          = ["launches", "launch_cores", "launch_payloads", "launch_failures", "launch_crew", "launch_changes"]
  table_prefixes  = [for t in local.tables : "${var.s3_prefix}${t}/"]
  raw_prefix      = "${var.s3_prefix}raw/"
  manifest_prefix = "${var.s3_prefix}manifests/"
  quarantine      = "${var.s3_prefix}quarantine/"
  report          = "${var.s3_prefix}report/report.html"

  # --- the program's metrics: one line in embedded metric format a run ---
  metric_namespace  = "SpacexPipeline"
  metric_dimensions = { stack = local.name } # not the environment alone: another project's may be in the account
  metrics = {
    success       = "Success"
    verified      = "Verified"
    stores_equal  = "StoresEqual"
    rejected      = "Rejected"
    data_age_days = "DataAgeDays"
    rows_written  = "RowsWritten"
    stage_seconds = "StageSeconds"
  }

  # The other source has stood still since 2022: its age would be an alarm for ever.
  source_is_alive = var.pipeline_source == "launch_library"
}
