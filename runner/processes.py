"""Trees of processes, read from /proc: what they hold in memory, and their end."""

from __future__ import annotations

import contextlib
import os
import signal

_PAGE = os.sysconf("SC_PAGE_SIZE")


def kill_tree(pid: int) -> None:
    """Kill a process, its group, and every descendant, also those that left the group. Silent about the dead."""
    for _ in range(8):  # a tree may grow while it is being cut
        found = [pid, *descendants(pid)]
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        kill_all(found)
        if len(found) == 1:
            return


def kill_all(processes: list[int]) -> None:
    """Kill these processes, children before their parents. Silent about the dead."""
    for process in reversed(processes):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Living descendants of a process, parents before their children; zombies are not living."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found, queue = [], [pid]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def tree_memory(pid: int) -> int:
    """Bytes of memory that a process and its descendants hold for themselves (anonymous pages, not files)."""
    total, queue = 0, [pid]
    while queue:
        process = queue.pop()
        try:
            with open(f"/proc/{process}/statm", "rb") as file:
                _, resident, shared, *_ = file.read().split()
            total += (int(resident) - int(shared)) * _PAGE
            with open(f"/proc/{process}/task/{process}/children", "rb") as file:
                queue += map(int, file.read().split())
        except (OSError, ValueError):
            continue
    return total


def kill_marked(name: str, value: str) -> int:
    """Kill every process that was started with this environment variable; says how many. Own process excepted."""
    marker = f"{name}={value}".encode()
    count = 0
    for process in _processes():
        if process == os.getpid():
            continue
        try:
            with open(f"/proc/{process}/environ", "rb") as file:
                found = marker in file.read().split(b"\0")
        except OSError:
            continue
        if found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
                count += 1
    return count


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parents() -> list[tuple[int, int]]:
    found = []
    for process in _processes():
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != b"Z":
            found.append((process, int(parent)))
    return found
