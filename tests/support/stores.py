"""A store as S3 is one, run from a package in another process, on this machine's loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

READY_S = 30


@contextlib.contextmanager
def s3_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an empty store that listens on a free port; other processes reach it by the environment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}"),
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        import fsspec

        filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
        yield filesystem
        fsspec.asyn.reset_lock()
        type(filesystem).clear_instance_cache()
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError("the store does not come up")


def upload(filesystem: Any, folder: Path, bucket: str) -> None:
    """Put all files below a folder into a bucket, by their paths in it."""
    filesystem.mkdir(bucket)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            filesystem.pipe_file(f"{bucket}/{path.relative_to(folder)}", path.read_bytes())
