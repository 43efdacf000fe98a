"""The thread that hears what happens to a run's pods: one list, then one watch, gone on with wherever it broke."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from runner.orchestrators.cluster_api import Cluster, Expired, Refused, Watch

AGAIN, LONGEST = 0.5, 5.0  # seconds between two tries to reach a cluster that has gone silent: the first, the most


class Watcher:
    """Tells by `tell` what it hears:

    ("listed", pods, when it was asked)  all pods there are: at the start, and when it was deaf for too long
    ("pod", ADDED | MODIFIED | DELETED, pod)
    ("deaf", error) and ("hears",)       when the cluster stops answering, and when it answers again
    """

    def __init__(self, cluster: Cluster, selector: str, tell: Callable[..., None], plural: str = "pods") -> None:
        self.cluster = cluster
        self.selector = selector
        self.plural = plural
        self.tell = tell
        self.closed = threading.Event()
        self.version = ""
        self.deaf = False
        self.pause = AGAIN
        self.watch: Watch | None = None
        self.thread = threading.Thread(target=self._run, daemon=True, name=f"runner-{plural}")
        self.thread.start()

    def close(self) -> None:
        self.closed.set()
        if self.watch is not None:
            self.watch.close()
        self.thread.join(LONGEST)

    def _run(self) -> None:
        while not self.closed.is_set():
            try:
                self._hear()
            except Expired:
                self.version = ""
            except Refused as error:
                if not self.closed.is_set() and not self.deaf:
                    self.deaf = True
                    self.tell("deaf", error)
            except Exception as error:  # nobody else would hear of it, and the walk would wait for ever
                self.tell("broken", error)
                return
            else:
                continue
            self.closed.wait(self.pause)
            self.pause = min(self.pause * 2, LONGEST)

    def _hear(self) -> None:
        """Until the watch ends, which clusters do every few minutes."""
        if not self.version:
            asked = time.monotonic()
            pods, self.version = self.cluster.list(self.plural, self.selector)
            self.tell("listed", pods, asked)
        self.watch = self.cluster.watch(self.plural, self.selector, self.version)
        if self.closed.is_set():
            self.watch.close()
        if self.deaf:
            self.deaf = False
            self.tell("hears")
        began = time.monotonic()
        for kind, pod in self.watch:
            self.version = pod["metadata"]["resourceVersion"]
            self.pause = AGAIN
            if kind != "BOOKMARK":
                self.tell("pod", kind, pod)
        if time.monotonic() - began < AGAIN:  # it does not hold a watch open: not to be asked all the time
            self.closed.wait(AGAIN)
