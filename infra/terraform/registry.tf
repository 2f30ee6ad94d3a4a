locals {
  image = var.image == null ? "${aws_ecr_repository.main.repository_url}:${var.image_tag}" : var.image

  # The repository that tasks pull from, where it is in ECR; one in another account must admit this one itself.
  given_repository = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr(?:-fips)?\\.(?P<region>[a-z0-9-]+)\\.[a-z0-9.]+/(?P<name>[^:@]+)", var.image), null)
  pulled_repository_arns = (
    var.image == null ? [aws_ecr_repository.main.arn] :
    local.given_repository == null ? [] :
    ["arn:${local.partition}:ecr:${local.given_repository.region}:${local.given_repository.account}:repository/${local.given_repository.name}"]
  )
}

resource "aws_ecr_repository" "main" {
  # checkov:skip=CKV_AWS_136: AWS's own key unless kms_key_arn is given
  name                 = local.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.destroyable

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "main" {
  repository = aws_ecr_repository.main.name

  # No rule for images without a tag: tags are immutable, so the only such are the parts of an image for several processors.
  policy = jsonencode({
    rules = [
      {
        # What a rule's tags match, no later rule can expire; and of one tag there is never more than one image.
        rulePriority = 1
        description  = "The image in use stays"
        selection    = { tagStatus = "tagged", tagPatternList = [var.image_tag], countType = "imageCountMoreThan", countNumber = 1 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The last 30 are kept: far more than anyone rolls back"
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = 30 }
        action       = { type = "expire" }
      },
    ]
  })
}
