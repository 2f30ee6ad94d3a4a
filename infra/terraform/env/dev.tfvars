# Cheap, and gone without a trace: no NAT gateway, no standby, nothing that resists `terraform destroy`.
environment = "dev"
destroyable = true

egress = "public"
spot   = true

db_apply_immediately   = true
db_backup_days         = 1
db_deletion_protection = false
db_final_snapshot      = false

log_retention_days = 14
