"""A small process beside the server: starts it, and stops it when nobody uses it any more.

Run as a script by an interpreter without site-packages (``python -I -S``), hence standard
library only. One JSON argument:

``command``
    The postgres command line.
``user``, ``group``
    Numeric account to run it as, or null for the own one.
``postmaster_pid``
    A left-over of a killed server, removed before the start.
``running``
    Lock file that the server's processes hold exclusively as long as one of them lives.
    They inherit it, so it tells a dead server from a living one without trusting process ids.
``lease``
    Lock file that every process using the server holds shared.
``keep``
    Marker file: while it exists the server stays up unused.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.25
_TAKE_SECONDS = 5.0


def main(argument: str) -> None:
    """Start the server in the background and watch over it until it ends."""
    order = json.loads(argument)
    running = _take(order["running"])
    Path(order["postmaster_pid"]).unlink(missing_ok=True)
    if os.fork():
        os._exit(0)  # whoever called is answered; the lock is already held
    lease = os.open(order["lease"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    server = _start(order, running)
    os.close(running)
    _watch(server, lease, Path(order["keep"]))


def _take(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _TAKE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return descriptor


def _start(order: dict[str, Any], running: int) -> "subprocess.Popen[bytes]":
    account: dict[str, Any] = {}
    if order["user"] is not None:
        account = {"user": order["user"], "group": order["group"], "extra_groups": []}
    return subprocess.Popen(  # noqa: S603 - the command is our own
        order["command"],
        stdin=subprocess.DEVNULL,
        cwd="/",
        pass_fds=(running,),
        start_new_session=True,
        **account,
    )


def _watch(server: "subprocess.Popen[bytes]", lease: int, keep: Path) -> None:
    def fast_shutdown(*_: object) -> None:
        server.send_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, fast_shutdown)
    while server.poll() is None:
        time.sleep(_POLL_SECONDS)
        if not keep.exists() and _unused(lease):
            fast_shutdown()
            server.wait()  # with the lease locked: newcomers wait, then start afresh


def _unused(lease: int) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
