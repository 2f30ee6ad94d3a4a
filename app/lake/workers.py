"""Threads that wait for S3."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ..errors import LakeError, waiting_for
from .bucket import CONNECTIONS


@contextlib.contextmanager
def workers(threads: int = CONNECTIONS) -> Iterator[ThreadPoolExecutor]:
    """Threads for S3; when the run fails nobody waits for what they had still to do."""
    pool = ThreadPoolExecutor(threads)
    try:
        with waiting_for(LakeError):  # but for what MySQL is asked meanwhile
            yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
