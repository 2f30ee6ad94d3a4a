# Private, with a standby, and slow to delete. Give addresses: alert_emails = ["…"].
environment = "prod"

egress = "nat"

db_apply_immediately   = false # a restart waits for the maintenance window
db_multi_az            = true
db_backup_days         = 14
db_deletion_protection = true
db_final_snapshot      = true

log_retention_days = 365
