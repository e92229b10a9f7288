"""The chain in a process of its own, which may kill itself at a chosen point.

Reads one JSON object from standard input: the database's addresses, the partitions, the size of
a chunk, and ``die``: the name of a point and how many times it is passed before. It writes a line
per chunk, so that whoever started it can kill it from outside.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from carbon_assets.provenance import materialize as materializing
from carbon_assets.provenance.graph import GRAPH
from carbon_assets.provenance.materialize import materialize
from carbon_assets.store.database import Database
from carbon_assets_tests.provenance.chain import load

POINTS = ("write_receipts", "write_metrics", "record_history")


def main() -> None:
    task = json.load(sys.stdin)
    database = Database(**task["database"])
    materializing.CHUNK_PARTITIONS = task["chunk"]
    point, passes = task["die"] or ("", 0)
    if point in POINTS:
        setattr(materializing, point, dying(getattr(materializing, point), passes))
    world = load(database)
    keys = [tuple(key) for key in task["keys"]]
    chunks = 0
    for node in GRAPH:
        for chunk in materialize(database, world, node.key, keys):
            chunks += 1
            if point == "committed" and chunks > passes:
                os.kill(os.getpid(), signal.SIGKILL)
            computed = sum(one.action == "computed" for one in chunk)
            sys.stdout.write(f"{node.key} {computed}\n")
            sys.stdout.flush()


def dying(function: Callable[..., Any], passes: int) -> Callable[..., Any]:
    """Let a function do its work, then kill the process before anything is committed."""
    left = passes

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        result = function(*arguments, **options)
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


if __name__ == "__main__":
    main()
