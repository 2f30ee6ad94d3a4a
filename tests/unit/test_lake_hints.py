"""What a person is told to do about an error of S3."""

import pytest
from botocore import exceptions as aws
from botocore.exceptions import ClientError

from app.lake.hints import hint_of


def answered(code: str, message: str = "", **more: str) -> ClientError:
    """An error that S3 answered with."""
    return ClientError({"Error": {"Code": code, "Message": message, **more}}, "PutObject")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (aws.NoCredentialsError(), "give the task a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID"),
        (aws.PartialCredentialsError(provider="env", cred_var="x"), "AWS_SECRET_ACCESS_KEY"),
        (aws.ProfileNotFound(profile="x"), "AWS_PROFILE names no profile"),
        (aws.NoRegionError(), "set AWS_DEFAULT_REGION"),
        (aws.InvalidRegionError(region_name="x y"), "AWS_DEFAULT_REGION is no region"),
        (aws.UnauthorizedSSOTokenError(), "the credentials have expired"),
        (answered("ExpiredToken"), "the credentials have expired"),
        (answered("InvalidAccessKeyId"), "check AWS_ACCESS_KEY_ID"),
        (answered("RequestTimeTooSkewed"), "the clock of this machine is wrong"),
        (answered("NoSuchBucket"), "S3_BUCKET names no bucket"),
        (answered("SlowDown"), "S3 throttled every attempt"),
        (answered("AccessDenied"), "grant this action on this key to the task role (s3:PutObject)"),
        (answered("403"), "grant this action on this key to the task role (s3:PutObject)"),
        (answered("PermanentRedirect"), "the bucket is in another region than AWS_DEFAULT_REGION"),
        (answered("AuthorizationHeaderMalformed", Region="eu-west-1"), "AWS_DEFAULT_REGION: set it to eu-west-1"),
        (answered("InternalError"), "S3 failed at every attempt"),
        (answered("ServiceUnavailable"), "S3 failed at every attempt"),
        (answered("NotImplemented"), "AWS_ENDPOINT_URL must name a service that speaks S3"),
        (answered("404"), "AWS_ENDPOINT_URL must name a service that speaks S3"),
        (answered("InvalidBucketName"), "S3_BUCKET is no name"),
        (answered("InvalidObjectState"), "a lifecycle rule has moved the object"),
        (answered("KMS.DisabledException"), "the key that encrypts the bucket"),
        (answered("AccessDenied", "not authorized to perform: kms:Decrypt"), "kms:GenerateDataKey to the task role"),
        (aws.EndpointConnectionError(endpoint_url="x"), "can S3 be reached from here"),
        (aws.ConnectTimeoutError(endpoint_url="x"), "can S3 be reached from here"),
        (aws.ReadTimeoutError(endpoint_url="x"), "can S3 be reached from here"),
        (aws.SSLError(endpoint_url="x", error="y"), "AWS_CA_BUNDLE names the authorities"),
        (answered("NeverHeardOf"), ""),
        (ValueError("x"), ""),
    ],
)
def test_each_error_has_its_hint(error: Exception, says: str) -> None:
    hint = hint_of(error, "s3:PutObject")
    assert says in hint
    assert bool(says) == bool(hint)


@pytest.mark.parametrize("error", [answered("PermanentRedirect"), answered("301"), RecursionError()])
def test_the_region_that_an_answer_names_is_in_the_hint(error: Exception) -> None:
    assert hint_of(error, region="eu-west-1").endswith("set it to eu-west-1")
