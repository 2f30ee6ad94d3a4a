locals {
  environment = merge(
    {
      STACK            = local.name # the dimension of the metrics
      SOURCE           = var.pipeline_source
      S3_BUCKET        = aws_s3_bucket.lake.id
      S3_PREFIX        = var.s3_prefix
      MYSQL_HOST       = aws_db_instance.main.address
      MYSQL_PORT       = tostring(aws_db_instance.main.port)
      MYSQL_DATABASE   = var.db_name
      MYSQL_SSL_CA     = local.rds_ca_path
      STALE_AFTER_DAYS = tostring(var.stale_after_days)
      LOG_GROUP        = aws_cloudwatch_log_group.task["run"].name
    },
    local.iceberg_settings,
    var.settings,
  )

  # The trailing ::-parts name key, stage and version; without the key the container would get the whole JSON text.
  app_secrets = {
    MYSQL_USER     = "${aws_secretsmanager_secret.app.arn}:username::"
    MYSQL_PASSWORD = "${aws_secretsmanager_secret.app.arn}:password::"
  }

  run_secrets = merge(local.app_secrets, var.launch_library_token_secret_arn == null ? {} : {
    LAUNCH_LIBRARY_TOKEN = var.launch_library_token_secret_arn
  })

  master_secret_arn = aws_db_instance.main.master_user_secret[0].secret_arn
  init_db_secrets = merge(local.app_secrets, {
    MYSQL_ADMIN_USER     = "${local.master_secret_arn}:username::"
    MYSQL_ADMIN_PASSWORD = "${local.master_secret_arn}:password::"
  })

  container = {
    name                   = local.container_name
    image                  = local.image
    essential              = true
    user                   = local.user
    readonlyRootFilesystem = true
    privileged             = false
    stopTimeout            = 120 # the most that Fargate grants after SIGTERM
    cpu                    = 0
    memory                 = var.task_size.memory # all of it; the program is alone
    mountPoints            = [{ sourceVolume = "temp", containerPath = local.temp_path, readOnly = false }]
    portMappings           = []
    systemControls         = []
    volumesFrom            = []

    linuxParameters = {
      initProcessEnabled = true # reaps, and passes SIGTERM on
      capabilities       = { add = [], drop = ["ALL"] }
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.task["console"].name
        awslogs-region        = var.region
        awslogs-stream-prefix = "task"
        mode                  = "non-blocking" # logging never stops the job
        max-buffer-size       = "25m"
      }
    }
  }
}

resource "aws_ecs_cluster" "main" {
  # checkov:skip=CKV_AWS_65: Container Insights costs more than the task; the program sends its own metrics
  name = local.name
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_ecs_task_definition" "run" {
  family                   = local.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_size.cpu
  memory                   = var.task_size.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  container_definitions = jsonencode([merge(local.container, {
    command     = ["run"]
    environment = [for k in sort(keys(local.environment)) : { name = k, value = local.environment[k] }]
    secrets     = [for k in sort(keys(local.run_secrets)) : { name = k, valueFrom = local.run_secrets[k] }]
  })])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "temp"
  }

  lifecycle {
    create_before_destroy = true # the schedule never names a revision that is gone
  }
}

# Started by hand once, and after a change of password: makes the application's user. No role of its own: it calls no AWS service.
resource "aws_ecs_task_definition" "init_db" {
  family                   = "${local.name}-init-db"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.init_db_execution.arn

  container_definitions = jsonencode([merge(local.container, {
    command     = ["init-db"]
    memory      = 512
    environment = [for k in sort(setsubtract(keys(local.environment), ["LOG_GROUP"])) : { name = k, value = local.environment[k] }]
    secrets     = [for k in sort(keys(local.init_db_secrets)) : { name = k, valueFrom = local.init_db_secrets[k] }]
  })])

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "temp"
  }
}
