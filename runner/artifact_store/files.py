"""The system calls that the local store is made of: no question asked first, nothing left half done."""

from __future__ import annotations

import os


def open_or_make(path: str, flags: int, mode: int = 0o666) -> int:
    try:
        return os.open(path, flags, mode)
    except FileNotFoundError:
        make_folder(os.path.dirname(path))
        return os.open(path, flags, mode)


def make_folder(path: str) -> None:
    """Make a folder and those above it that are missing, without asking first."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_folder(os.path.dirname(path))
        try:
            os.mkdir(path)
        except FileExistsError:
            return


def fill(descriptor: int, path: str, data: bytes) -> None:
    """Write a small object into its new file: by one write(2), unless the system takes less, and then the next one says
    why. When it fails, the file is emptied, which makes it absent at once, and removed."""
    try:
        write_all(descriptor, memoryview(data))
    except BaseException:
        os.ftruncate(descriptor, 0)
        if os.fstat(descriptor).st_nlink:  # nobody put another file under this name
            os.unlink(path)
        raise


def write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    chunks, missing = [data], size - len(data)
    while missing and (data := os.read(descriptor, missing)):  # read(2) gives at most 2 GiB at a time
        chunks.append(data)
        missing -= len(data)
    return b"".join(chunks)


def remove(path: str) -> None:
    """Remove a file, or a folder with all that is in it; what is gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        with os.scandir(path) as entries:
            below = [entry.path for entry in entries]
        for each in below:
            remove(each)
        os.rmdir(path)
