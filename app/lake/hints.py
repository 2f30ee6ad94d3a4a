"""What a person can do about an error of S3."""

from botocore import exceptions as aws
from botocore.exceptions import ClientError

GRANTS = {
    "GetObject": "s3:GetObject and s3:GetObjectVersion",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
}
"""The right that each call needs."""

_CREDENTIALS = "give the task a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_EXPIRED = "the credentials have expired: log in again, or let the task's role renew them"
_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
_REACHABLE = "can S3 be reached from here: network, proxy, VPC endpoint, AWS_ENDPOINT_URL?"
_LOOKALIKE = "AWS_ENDPOINT_URL must name a service that speaks S3 and has versions and conditional PUTs"
_BUSY = "S3 failed at every attempt: run again later"
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
    "AuthFailure": _KEYS,
    "InvalidBucketName": "S3_BUCKET is no name that a bucket may have",
    "AllAccessDisabled": "the account or the bucket was closed: ask AWS",
    "AccountProblem": "the account or the bucket was closed: ask AWS",
    "InvalidObjectState": "a lifecycle rule has moved the object to an archive: restore it, and take the rule off this prefix",
    **dict.fromkeys(("404", "405", "MethodNotAllowed", "NotImplemented"), _LOOKALIKE),
    **dict.fromkeys(("InternalError", "ServiceUnavailable", "RequestTimeout", "500", "502", "503", "504"), _BUSY),
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
    aws.SSLError: "the certificate of S3 can't be verified: AWS_CA_BUNDLE names the authorities where there is a proxy",
    aws.ParamValidationError: "S3_BUCKET or S3_PREFIX is no name that S3 takes",
    aws.ConnectionError: _REACHABLE,
    aws.HTTPClientError: _REACHABLE,
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
    if code.startswith("KMS.") or ("kms:" in str(error) and code == "AccessDenied"):
        return "the key that encrypts the bucket must be enabled, and grant kms:Decrypt and kms:GenerateDataKey to the task role"
    if code in ("AccessDenied", "403"):
        return f"grant this action on this key to the task role ({grants})"
    return _BY_CODE.get(code, "") or next((hint for kind, hint in _BY_TYPE.items() if isinstance(error, kind)), "")
