"""What the Docker SDK's `containers.run` takes, as data, so that `run_args` are checked without the SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from runner.errors import nearest

# Types as in the SDK's documentation of containers.run; a test holds names and types equal to the SDK's.
BOOL, INT, TEXT, LIST, MAPPING = "bool", "int", "str", "list", "dict"
TYPES: dict[str, type | tuple[type, ...]] = {BOOL: bool, INT: int, TEXT: str, LIST: (list, tuple), MAPPING: dict}
WORDS = {BOOL: "true or false", INT: "a number", TEXT: "text", LIST: "a list", MAPPING: "a mapping"}

RUN_ARGS: dict[str, tuple[str, ...]] = {
    "blkio_weight": (INT,),
    "blkio_weight_device": (LIST,),
    "cap_add": (LIST,),
    "cap_drop": (LIST,),
    "cgroup_parent": (TEXT,),
    "cgroupns": (TEXT,),
    "cpu_count": (INT,),
    "cpu_percent": (INT,),
    "cpu_period": (INT,),
    "cpu_quota": (INT,),
    "cpu_rt_period": (INT,),
    "cpu_rt_runtime": (INT,),
    "cpu_shares": (INT,),
    "cpuset_cpus": (TEXT,),
    "cpuset_mems": (TEXT,),
    "device_cgroup_rules": (LIST,),
    "device_read_bps": (LIST,),
    "device_read_iops": (LIST,),
    "device_write_bps": (LIST,),
    "device_write_iops": (LIST,),
    "devices": (LIST,),
    "dns": (LIST,),
    "dns_opt": (LIST,),
    "dns_search": (LIST,),
    "domainname": (TEXT, LIST),
    "environment": (MAPPING, LIST),
    "extra_hosts": (MAPPING,),
    "group_add": (LIST,),
    "hostname": (TEXT,),
    "init": (BOOL,),
    "init_path": (TEXT,),
    "ipc_mode": (TEXT,),
    "isolation": (TEXT,),
    "kernel_memory": (INT, TEXT),
    "labels": (MAPPING, LIST),
    "links": (MAPPING,),
    "lxc_conf": (MAPPING,),
    "mac_address": (TEXT,),
    "mem_limit": (INT, TEXT),
    "mem_reservation": (INT, TEXT),
    "mem_swappiness": (INT,),
    "memswap_limit": (TEXT, INT),
    "nano_cpus": (INT,),
    "network_disabled": (BOOL,),
    "network_mode": (TEXT,),
    "oom_kill_disable": (BOOL,),
    "oom_score_adj": (INT,),
    "pid_mode": (TEXT,),
    "pids_limit": (INT,),
    "platform": (TEXT,),
    "ports": (MAPPING,),
    "privileged": (BOOL,),
    "publish_all_ports": (BOOL,),
    "read_only": (BOOL,),
    "runtime": (TEXT,),
    "security_opt": (LIST,),
    "shm_size": (TEXT, INT),
    "storage_opt": (MAPPING,),
    "sysctls": (MAPPING,),
    "tmpfs": (MAPPING,),
    "use_config_proxy": (BOOL,),
    "user": (TEXT, INT),
    "userns_mode": (TEXT,),
    "uts_mode": (TEXT,),
    "volume_driver": (TEXT,),
    "volumes": (MAPPING, LIST),
    "volumes_from": (LIST,),
    "working_dir": (TEXT,),
}
"""The arguments that may be written, each with the types that the SDK takes."""

_OURS = "runner sets it itself"
_DETACHED = "runner starts containers, follows them and removes them itself"
_OBJECTS = "the SDK takes objects there, which a document cannot hold"
REFUSED: dict[str, tuple[str, str]] = {
    "image": (_OURS, "write it as the step's image: settings: {image: {image: …}}"),
    "command": (_OURS, "a container runs the step's worker and nothing else"),
    "entrypoint": (_OURS, "a container runs the step's worker and nothing else"),
    "name": (_OURS, "containers have labels to find them by: docker ps --filter label=runner/step=…"),
    "device_requests": (_OBJECTS, "write `gpu_count` in the step's resources"),
    "network": ("it is a setting of the orchestrator", "write `network` beside run_args, in the stack"),
    "detach": (_DETACHED, "leave it out"),
    "remove": (_DETACHED, "leave it out"),
    "auto_remove": (_DETACHED, "leave it out"),
    "stdout": (_DETACHED, "leave it out"),
    "stderr": (_DETACHED, "leave it out"),
    "stream": (_DETACHED, "leave it out"),
    "restart_policy": ("an attempt is started once", "write `retry` at the step"),
    "healthcheck": ("nobody asks a step how it is", "write `timeout` at the step"),
    "stop_signal": ("the worker ends its step on SIGTERM", "leave it out"),
    "stdin_open": ("nobody is there to type", "leave it out"),
    "tty": ("a step's output goes to its log, not to a terminal", "leave it out"),
    "mounts": (_OBJECTS, "write `volumes`: {/on/this/machine: {bind: /in/the/container, mode: ro}}"),
    "ulimits": (_OBJECTS, "set the limits of the engine: `default-ulimits` in its daemon.json"),
    "log_config": (_OBJECTS, "set it for the engine: `log-driver` in its daemon.json"),
    "networking_config": (_OBJECTS, "write `network` beside run_args, in the stack"),
    "version": ("the engine is asked which version it speaks", "leave it out"),
}
"""The arguments that may not, each with the reason and what to do instead."""

INSTEAD = {
    "nano_cpus": "cpu_count",
    "mem_limit": "memory",
    "memswap_limit": "memory",
    "shm_size": "shm",
}
"""Arguments that a step's resources give, too: the step's resources win."""


class Wrong(NamedTuple):
    """One argument that cannot be taken, as a problem at its key or (`at_value`) its value."""

    name: str
    code: str
    message: str
    help: str
    at_value: bool = False


def wrong(run_args: Mapping[str, Any]) -> Iterator[Wrong]:
    """What of these arguments the SDK does not take, or runner does not hand on."""
    for name, value in run_args.items():
        if name in REFUSED:
            why, help = REFUSED[name]
            yield Wrong(name, "refused-run-arg", f"'{name}' cannot be given in run_args: {why}", help)
        elif name not in RUN_ARGS:
            near = nearest(name, RUN_ARGS)
            help = f"did you mean '{near}'?" if near else "see the Docker SDK's containers.run for those there are"
            yield Wrong(name, "unknown-run-arg", f"the Docker SDK's containers.run takes no '{name}'", help)
        elif not _fits(value, RUN_ARGS[name]):
            words = " or ".join(WORDS[kind] for kind in RUN_ARGS[name])
            message = f"{name} is {words}, as the Docker SDK takes it"
            yield Wrong(name, "bad-run-arg", message, f"write {words}", at_value=True)
        elif name == "labels":
            yield from _own_labels(value)


def _fits(value: Any, kinds: tuple[str, ...]) -> bool:
    if isinstance(value, bool):
        return BOOL in kinds
    return any(isinstance(value, TYPES[kind]) for kind in kinds)


def _own_labels(labels: Mapping[str, Any] | list[Any]) -> Iterator[Wrong]:
    for label in labels:
        if str(label).startswith("runner/"):
            message = f"the label '{label}' begins with 'runner/': by those runner finds its containers"
            yield Wrong("labels", "refused-run-arg", message, "name it otherwise", at_value=True)
