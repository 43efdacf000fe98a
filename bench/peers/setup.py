"""Make one virtual environment a peer under `bench/.peers/NAME`: `python bench/peers/setup.py [NAME …]`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "bench" / ".peers"

REQUIREMENTS = {
    "doit": ["doit"],
    "luigi": ["luigi"],
    "kedro": ["kedro"],
    "snakemake": ["snakemake"],
    "redun": ["redun", "setuptools<81"],  # it imports pkg_resources, which newer ones left out
    "dagster": ["dagster"],
    "zenml": ["zenml[local]"],
    "prefect": ["prefect", "fastapi<0.120"],  # with a newer fastapi its own server does not start
    "metaflow": ["metaflow", "setuptools<81"],
}


def main(names: list[str]) -> int:
    """Make those that are asked for, or all; one that cannot be made is said and passed over."""
    unknown = sorted(set(names) - set(REQUIREMENTS))
    if unknown:
        print(f"unknown peers {', '.join(unknown)}; known: {', '.join(REQUIREMENTS)}", file=sys.stderr)
        return 64
    failed = [name for name in names or REQUIREMENTS if not make(name)]
    if failed:
        print(f"could not make: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def make(name: str) -> bool:
    """An environment that is whole is left as it is: the marker file is written last."""
    folder = HOME / name
    marker, wanted = folder / ".made", "\n".join(REQUIREMENTS[name])
    if marker.is_file() and marker.read_text() == wanted:
        print(f"{name}: there")
        return True
    print(f"{name}: making", flush=True)
    uv = find_uv()
    done = succeeds(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)) and succeeds(
        uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder / "bin" / "python"), *REQUIREMENTS[name]
    )
    if done:
        marker.write_text(wanted)
    return done


def succeeds(*command: str) -> bool:
    return subprocess.run(command).returncode == 0


def find_uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is needed to make the peers' environments: pip install uv")
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
