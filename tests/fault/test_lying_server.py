"""A server that was not verified gets no password in a form that it could read; one that talks nonsense is MySQL's failure."""

import os
import ssl
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.program import Ended, Program
from tests.services import AwsEndpoint, Login
from tests.services.certificates import make_certificates
from tests.services.lying import LyingServer, greeting, packet, switch_to
from tests.services.server import HOST

PASSWORD = "plain-word-4711"
KEY = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)
FULL_LOGIN = b"\1\4"  # caching_sha2_password: the proof is not enough
ASKING = {
    "clear password": ("mysql_native_password", [switch_to("mysql_clear_password", b"")]),
    "clear password from the start": ("mysql_clear_password", [switch_to("mysql_clear_password", b"")]),
    "dialog": ("mysql_native_password", [switch_to("dialog", b"\4Password: ")]),
    "sha256": ("sha256_password", [b"\1" + KEY, b"\1" + KEY]),
    "switch to sha256": ("caching_sha2_password", [switch_to("sha256_password"), b"\1" + KEY]),
    "caching_sha2 in full": ("caching_sha2_password", [FULL_LOGIN, b"\1" + KEY]),
    "switch to caching_sha2 in full": ("mysql_native_password", [switch_to("caching_sha2_password"), FULL_LOGIN, b"\1" + KEY]),
    "old password": ("mysql_native_password", [switch_to("mysql_old_password")]),
    "a method that nobody knows": ("mysql_native_password", [switch_to("authentication_of_another_kind")]),
}


@pytest.fixture
def program() -> Program:
    """The program, which meets no other server than MySQL's."""
    settings = {"MYSQL_HOST": HOST, "MYSQL_USER": "app", "MYSQL_PASSWORD": PASSWORD, "MYSQL_DATABASE": "base"}
    settings |= {"S3_BUCKET": "never-reached", "AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"]}
    return Program(settings, AwsEndpoint(""), Login(HOST, 9, "app", PASSWORD, "base"))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "unverified TLS"])
@pytest.mark.parametrize("asking", ASKING)
def test_no_secret_is_sent_to_a_server_that_nobody_verified(asking: str, tls: bool, program: Program, tmp_path: Path) -> None:
    method, answers = ASKING[asking]
    context = None
    if tls:
        _, certificate, key = make_certificates(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    with LyingServer(greeting(method, tls=tls), answers, tls=context) as server:
        ended = refused(program, server.port)
    assert server.received, "nobody came"
    assert not any(PASSWORD.encode() in sent for sent in server.received)
    # The proof of the password is 20 or 32 bytes; what is encrypted to a key has the length of the key.
    assert all(len(sent) < len(KEY) // 2 for sent in server.received[1:])
    if asking != "old password":
        assert "MYSQL_SSL_CA" in ended.lines[-1]["message"]
    assert PASSWORD not in ended.stdout + ended.stderr


def test_where_the_settings_allow_it_the_password_is_sent(program: Program) -> None:
    """What the other tests rely on: without the refusal this server would learn it."""
    with LyingServer(greeting("mysql_native_password"), [switch_to("mysql_clear_password", b"")]) as server:
        refused(program, server.port, MYSQL_ALLOW_UNVERIFIED="true")
    assert server.received[1] == PASSWORD.encode() + b"\0"


@pytest.mark.parametrize("sent", [b"", greeting("mysql_native_password"), greeting("mysql_native_password")[:20]])
def test_a_server_that_says_nothing_more_is_given_up(sent: bytes, program: Program) -> None:
    with LyingServer(sent, silent=True) as server:
        began = time.monotonic()
        ended = refused(program, server.port, RUN_TIMEOUT_S="60")
    assert time.monotonic() - began < 20
    assert f"{HOST}:{server.port}" in ended.lines[-1]["message"]


GARBLED = {
    "nothing readable": b"\xde\xad\xbe\xef" * 8,
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "an empty packet": packet(0, b""),
    "one byte": packet(0, b"\x0a"),
    "no version": packet(0, b"\x0a" + b"x" * 60),
    "a version that is no number": greeting("mysql_native_password", version="eight"),
    "a method that is no text": greeting("mysql_native_password").replace(b"mysql_native", b"\xff\xfe\xfd___native"),
    "cut after the salt": packet(0, greeting("x")[4:30]),
}


@pytest.mark.parametrize("first", GARBLED)
def test_a_garbled_greeting_is_a_failure_of_mysql(first: str, program: Program) -> None:
    with LyingServer(GARBLED[first], [b"\0" * 9]) as server:
        ended = refused(program, server.port)
    assert f"{HOST}:{server.port}" in ended.lines[-1]["message"]


@pytest.mark.parametrize("answer", [b"\0", b"\xff", b"\xfe", b"\xff\x15", b"\1", b"\2\3\4", b"\xfb/etc/passwd", b"\xfe\xff\0\0"])
def test_a_garbled_answer_to_the_log_in_is_a_failure_of_mysql(answer: bytes, program: Program) -> None:
    with LyingServer(greeting("mysql_native_password"), [answer]) as server:
        ended = refused(program, server.port)
    assert f"{HOST}:{server.port}" in ended.lines[-1]["message"]


def refused(program: Program, port: int, **settings: str) -> Ended:
    return program("run", code=6, MYSQL_PORT=str(port), **settings)
