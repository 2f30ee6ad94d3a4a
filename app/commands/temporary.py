"""The temporary folder of one run; those that killed runs left behind are removed.

A run holds a lock on its folder (flock, on the folder itself) while its process lives. Whoever gets the lock of another folder
knows that no process uses it. Before a new folder is locked another run may remove it: its maker then makes another.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import PipelineError

_PREFIX = "spacex-pipeline-run-"
_TRIES = 20


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder, removed afterwards. Raises PipelineError when there is no place for one."""
    try:
        base = tempfile.gettempdir()
        _remove_left_behind(base)
        folder, lock = _locked_folder()
    except OSError as error:
        raise PipelineError(
            f"no temporary directory can be used: {error}", hint="set TMPDIR to a directory with free space that can be written"
        ) from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder() -> tuple[str, int]:
    for _ in range(_TRIES):
        folder = tempfile.mkdtemp(prefix=_PREFIX)
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # another run takes it for one that was left behind
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.stat(folder), os.fstat(lock)):  # noqa: PTH116  # beside the one of a descriptor
                    return folder, lock
            except OSError:
                os.close(lock)
                raise
            os.close(lock)
    raise OSError(f"folders in {tempfile.gettempdir()} vanish as soon as they are made")


def _remove_left_behind(base: str) -> None:
    """Remove what is ours, private, and held by no process; whatever can't be removed stays."""
    with contextlib.suppress(OSError), os.scandir(base) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with contextlib.suppress(OSError):
                    _remove(entry.path)


def _remove(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(folder)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
            return
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in os.listdir(folder):  # noqa: PTH208  # by the descriptor: whatever the path comes to name, this folder alone is emptied
            try:
                os.unlink(name, dir_fd=folder)
            except (IsADirectoryError, PermissionError):
                shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        os.rmdir(path)  # noqa: PTH106  # an empty folder, or it fails
    finally:
        os.close(folder)
