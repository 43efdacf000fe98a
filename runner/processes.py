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


def adopt_orphans() -> None:
    """From now on descendants whose parents died are this process's own children (Linux; elsewhere nothing)."""
    import ctypes  # a few milliseconds that most workers do without

    set_child_subreaper = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def kill_all(processes: list[int]) -> None:
    """Kill these processes, children before their parents. Silent about the dead."""
    for process in reversed(processes):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Living descendants of a process, parents before their children; zombies are not living."""
    return _below([pid])


def _below(pids: list[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found: list[int] = []
    queue = list(pids)
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
    """Kill every process that was started with this environment variable, and what those started; says how many.

    Own process excepted.
    """
    marker = f"{name}={value}".encode()
    count = 0
    for _ in range(8):  # one may have forked while the others were looked for
        found = [process for process in _processes() if process != os.getpid() and _has(process, marker)]
        if not found:
            break
        kill_all([process for process in [*found, *_below(found)] if process != os.getpid()])
        count += len(found)
    return count


def _has(process: int, marker: bytes) -> bool:
    """Whether a process was started with this in its environment; one that is dead already has none."""
    try:
        with open(f"/proc/{process}/environ", "rb") as file:
            return marker in file.read().split(b"\0")
    except OSError:
        return False


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
