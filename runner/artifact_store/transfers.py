"""Large objects in parts, a few on their way at a time: memory stays bounded, and only a failed part is sent again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from runner.artifact_store.bucket import OTHER, Bucket, Failed, Patience, Trouble

AT_ONCE = 4
MOST_PARTS = 9_000  # providers allow 10,000 and more


def part_size(size: int, least: int) -> int:
    """Bytes of a part, in whole MiB, so that there are not too many."""
    mebi = 1024 * 1024
    return max(least, -(-size // MOST_PARTS // mebi) * mebi)


async def upload(patience: Patience, key: str, path: Path, size: int) -> None:
    """Send a file as one object."""
    bucket = patience.bucket
    handle, _ = await patience.request(lambda: bucket.begin(key, size))
    part = part_size(size, bucket.part)
    offsets = list(range(0, size, part))
    parts: list[Any] = [None] * len(offsets)
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:

        async def send(number: int) -> None:
            offset = offsets[number]
            data = os.pread(file, min(part, size - offset), offset)
            if len(data) != min(part, size - offset):
                raise Failed(Trouble(OTHER, f"'{path}' became shorter while it was sent"), 1)
            parts[number], _ = await patience.request(lambda: bucket.add(handle, number + 1, offset, data))

        await bucket.several(send, len(offsets), 1 if bucket.in_order else AT_ONCE)
        await _finish(patience, key, size, handle, parts)
    except BaseException:
        await _abandoned(bucket, handle)
        raise
    finally:
        os.close(file)


async def _finish(patience: Patience, key: str, size: int, handle: Any, parts: list[Any]) -> None:
    """Make the object of its parts. When the answer to that got lost, the parts are gone and the object is there."""
    try:
        await patience.request(lambda: patience.bucket.finish(handle, parts))
    except Failed:
        with contextlib.suppress(Failed):
            found, _ = await patience.request(lambda: patience.bucket.look(key))
            if found.size == size:
                return
        raise


async def download(patience: Patience, key: str, size: int, file: int) -> None:
    """Write an object's bytes into an open file."""
    bucket = patience.bucket
    part = bucket.part

    async def take(number: int) -> None:
        start = number * part
        end = min(start + part, size)
        data, _ = await patience.request(lambda: bucket.read(key, start, end if size > part else None))
        view, at = memoryview(data), start
        if len(view) != end - start:
            raise Failed(Trouble(OTHER, f"'{key}' changed while it was read"), 1)
        while view:
            written = os.pwrite(file, view, at)
            view, at = view[written:], at + written

    await bucket.several(take, -(-size // part), AT_ONCE)


async def _abandoned(bucket: Bucket, handle: Any) -> None:
    try:
        await bucket.abandon(handle)
    except Exception:  # it is for tidiness, and the failure on its way matters more
        return
