"""What a person can do about an error of S3."""

from botocore import exceptions as aws
from botocore.exceptions import ClientError

GRANTS = {
    "GetObject": "s3:GetObject and s3:GetObjectVersion",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CopyObject": "s3:GetObjectVersion on the original, s3:PutObject on the copy",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
}
"""The right that each call needs."""

_CREDENTIALS = "give the task a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_EXPIRED = "the credentials have expired: log in again, or let the task's role renew them"
_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
_BY_CODE = {
    "NoSuchBucket": "S3_BUCKET names no bucket: check its name, or create it with Terraform",
    "SlowDown": "S3 throttled every attempt: run again later",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "InvalidToken": _KEYS,
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "RequestTimeTooSkewed": "the clock of this machine is wrong: let it keep time by NTP",
}
_BY_TYPE: dict[type[Exception], str] = {
    aws.NoCredentialsError: _CREDENTIALS,
    aws.PartialCredentialsError: _CREDENTIALS,
    aws.CredentialRetrievalError: _CREDENTIALS,
    aws.ProfileNotFound: "AWS_PROFILE names no profile of the AWS configuration",
    aws.ConfigParseError: "AWS_CONFIG_FILE can't be parsed",
    aws.NoRegionError: "set AWS_DEFAULT_REGION",
    aws.InvalidRegionError: "AWS_DEFAULT_REGION is no region",
    aws.TokenRetrievalError: _EXPIRED,
    aws.UnauthorizedSSOTokenError: _EXPIRED,
    aws.SSOTokenLoadError: _EXPIRED,
}
_REDIRECTS = (
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
)


def code_of(error: BaseException | None) -> str:
    """S3's code for an error; empty where S3 did not answer."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def hint_of(error: Exception, grants: str = "", region: str | None = None) -> str:
    """What to do; empty where the error says enough itself. `grants` is the right that the call needs."""
    code = code_of(error)
    if code in _REDIRECTS or isinstance(error, RecursionError):
        named = error.response["Error"].get("Region") if isinstance(error, ClientError) else None
        there = region or named
        other = "the bucket is in another region than AWS_DEFAULT_REGION"
        return f"{other}: set it to {there}" if there else other
    if code in ("AccessDenied", "403"):
        return f"grant this action on this key to the task role ({grants})"
    return _BY_CODE.get(code, "") or next((hint for kind, hint in _BY_TYPE.items() if isinstance(error, kind)), "")
