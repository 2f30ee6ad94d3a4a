"""moto's server, without what it does for every request to no end: most of its time, and of its memory, goes into that."""

import http
import io
import traceback
from functools import cache, lru_cache
from typing import Any

import moto.core.serialize
import moto.s3.models
import moto.server
import xmltodict  # type: ignore[import-untyped]
from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from werkzeug.exceptions import InternalServerError

models: Any = moto.s3.models
serialize: Any = moto.core.serialize
_WITHOUT_BODY = (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED)
_get_value = serialize.ResponseSerializer.get_value


class _Handler(MotoRequestHandler):
    """Keeps connections open, as S3 does: of a small request, a new one and its thread are a third."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body are sent together

    def handle_expect_100(self) -> bool:
        """The body may come, says what is sent at once."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def run_wsgi(self) -> None:
        """One request, read to its end before it is answered."""
        self.environ = environ = self.make_environ()
        size = -1 if "wsgi.input_terminated" in environ else int(environ.get("CONTENT_LENGTH") or 0)
        sent = environ["wsgi.input"].read(size)
        if len(sent) < size:  # whoever sent it is gone
            self.close_connection = True
            return
        environ["wsgi.input"] = io.BytesIO(sent)
        try:
            status, headers, body = _answer(self.server.app, environ)
        except Exception:  # noqa: BLE001  # what it can't do it says by raising
            traceback.print_exc()
            status, headers, body = _answer(InternalServerError(), environ)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name, _ in headers} and status not in _WITHOUT_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Nothing: a line for each request is too much."""


def _answer(app: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    begun: list[Any] = []
    body = b"".join(app(environ, lambda *answer: begun.append(answer)))
    status, headers, *_ = begun[-1]
    return int(status.partition(" ")[0]), headers, body


def _be_quick() -> None:
    modules = tuple(backends.list_of_moto_modules())  # it looks into its own folder
    backends.list_of_moto_modules = lambda: modules
    dispatcher: Any = DomainDispatcherApplication
    dispatcher.get_backend_for_host = cache(dispatcher.get_backend_for_host)  # it tries some 200 patterns
    models.FakeKey.__deepcopy__ = _as_listed
    models.FakeDeleteMarker.__deepcopy__ = _copied
    for module, name in (
        (models, "unix_time_millis"),  # of each version that is listed
        (serialize, "parse_to_aware_datetime"),  # likewise
        (xmltodict, "_validate_name"),  # of each element of an answer
    ):
        setattr(module, name, lru_cache(1 << 16)(getattr(module, name)))
    serialize.ResponseSerializer.get_value = _value
    server: Any = moto.server
    server.MotoRequestHandler = _Handler


def _as_listed(key: Any, _: Any) -> Any:
    """To list versions moto copies all objects of a bucket, bytes and all, and keeps the copies for ever."""
    key.etag  # noqa: B018  # computed from the bytes, and kept by the key
    copy = object.__new__(models.FakeKey)
    copy.__dict__.update(key.__dict__, _value_buffer=None, disposed=True)
    return copy


def _copied(marker: Any, _: Any) -> Any:
    copy = object.__new__(models.FakeDeleteMarker)
    copy.__dict__.update(marker.__dict__)
    return copy


def _value(serializer: Any, value: Any, key: str, shape: Any) -> Any:
    """A member of an answer: where it is in a dictionary by its own name, no other is looked for."""
    if type(value) is dict and key in value and not serializer._value_picker.response_transformers:
        return value[key]
    return _get_value(serializer, value, key, shape)


if __name__ == "__main__":
    _be_quick()
    moto.server.main()
