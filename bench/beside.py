"""The peers: the same chain and the same fan in each of them, each in its own environment and in an empty home."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measure import Contestant

BENCH = Path(__file__).resolve().parent
SCRIPTS, HOMES = BENCH / "peers", BENCH / ".peers"
USUAL = ("doit", "luigi", "kedro", "snakemake", "dagster", "zenml")
MORE = ("prefect", "redun", "metaflow")


def make(names: list[str]) -> list[str]:
    """Make the environments that are not there yet; gives the names of those that are there now."""
    subprocess.run([sys.executable, str(SCRIPTS / "setup.py"), *names])
    return [name for name in names if (HOMES / name / ".made").is_file()]


def contestant(name: str, shape: str, count: int, folder: Path) -> Contestant:
    """One peer's script, in an empty folder that is its home too."""
    place = folder / "peers" / f"{name}-{shape}"
    command = [str(HOMES / name / "bin" / "python"), str(SCRIPTS / f"{name}_bench.py"), shape, str(count)]
    return Contestant(command, place, [place], _environment(name, place))


def _environment(name: str, home: Path) -> dict[str, str]:
    common = {
        "HOME": str(home),
        "USER": "bench",
        "DO_NOT_TRACK": "1",
        "PATH": f"{HOMES / name / 'bin'}:/usr/local/bin:/usr/bin:/bin",
    }
    return common | {
        "zenml": {
            "ZENML_CONFIG_PATH": f"{home}/zenml",
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
        },
        "prefect": {
            "PREFECT_HOME": f"{home}/prefect",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        },
        "dagster": {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"},
        "metaflow": {"METAFLOW_DATASTORE_SYSROOT_LOCAL": f"{home}/metaflow", "METAFLOW_USER": "bench"},
        "kedro": {"KEDRO_DISABLE_TELEMETRY": "1"},
    }.get(name, {})
