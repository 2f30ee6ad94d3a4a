# Athena over the tables by path: what Glue knows of them, a workgroup that limits what a query reads, and its saved queries.
# Tables and queries are written by the program (python -m app.glue); Iceberg's tables are in a database of their own.

locals {
  catalog        = jsondecode(file("${path.module}/tables.json"))
  athena_tables  = var.enable_athena ? local.catalog.tables : {}
  athena_queries = var.enable_athena ? local.catalog.queries : {}
  year_range     = join(",", local.catalog.years)

  # Where there are snapshots, they are what is asked: tables by path may show a publication half done.
  athena_database  = var.enable_iceberg ? var.iceberg_database : var.files_database
  athena_databases = var.enable_iceberg ? [var.files_database, var.iceberg_database] : [var.files_database]
  athena_prefixes  = concat(local.table_prefixes, var.enable_iceberg ? [local.iceberg_prefix] : [])
}

resource "aws_glue_catalog_database" "files" {
  count       = var.enable_athena ? 1 : 0
  name        = var.files_database
  description = "The lake's tables by path, as ${local.name} writes them"
}

resource "aws_glue_catalog_table" "files" {
  for_each      = local.athena_tables
  database_name = one(aws_glue_catalog_database.files).name
  name          = each.key
  description   = each.value.description
  table_type    = "EXTERNAL_TABLE"

  # Partitions are computed, not registered: a crawler or MSCK has nothing to do.
  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.year.type"      = "integer"
    "projection.year.range"     = local.year_range
    "storage.location.template" = "s3://${aws_s3_bucket.lake.id}/${var.s3_prefix}${each.key}/year=$${year}/"
  }

  partition_keys {
    name    = "year"
    type    = "int"
    comment = "Launch year, as the path has it: with it in WHERE a query reads the files of these years alone"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.id}/${var.s3_prefix}${each.key}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

resource "aws_athena_workgroup" "main" {
  count         = var.enable_athena ? 1 : 0
  name          = local.name
  description   = "Queries of the lake"
  force_destroy = var.destroyable

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = false # 0.30 dollars a metric and month
    bytes_scanned_cutoff_per_query     = var.athena_scan_limit_mb * 1024 * 1024

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${one(aws_s3_bucket.athena).id}/"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = var.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "main" {
  for_each    = local.athena_queries
  name        = each.key
  description = each.value.description
  workgroup   = one(aws_athena_workgroup.main).id
  database    = local.athena_database
  query       = each.value.sql

  depends_on = [aws_glue_catalog_database.files, aws_glue_catalog_database.iceberg]
}
