"""Forks of the program: each ends as the program does, whoever else waits for one."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from tests import forked


def test_each_of_many_at_once_has_its_own_exit_code() -> None:
    codes = [number % 100 for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda code: forked.call(os._exit, code), codes)) == codes


def test_a_signal_is_a_negative_exit_code() -> None:
    assert forked.call(signal.raise_signal, signal.SIGKILL) == -signal.SIGKILL


def test_a_function_that_fails_has_exit_code_1_and_ends_no_other() -> None:
    assert forked.call(os.listdir, "/nowhere") == 1
    assert forked.call(os.listdir, "/") == 0


def test_one_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TimeoutError, match=r"sleep takes over 0\.1 s"):
        forked.call(time.sleep, 60, timeout_s=0.1)


def test_a_fork_has_its_own_environment_and_output(tmp_path: Path) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    assert forked.call(forked.main, {}, ["run"], str(out), str(err)) == 2
    assert out.read_text() == ""
    assert "S3_BUCKET is not set" in err.read_text()


def test_pandas_is_there_only_where_it_is_asked_for() -> None:
    assert forked.call(import_module, "pandas") == 1
    assert forked.call(import_module, "pandas", frames=True) == 0
