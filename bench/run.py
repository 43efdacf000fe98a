"""Time the runner beside the floor and its peers: `python bench/run.py [--quick] [--only NAME] [--no-peers] …`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import beside
import projects
from measure import Failed, file_cost, once, seconds, take_turns
from rows import GROUPS, Row, Setting, run
from table import Peer, as_json, as_line, write_readme

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "latest.json"
PEERS = "peers"


def main(arguments: list[str]) -> int:
    """0 when every bar is kept, 1 when one is not or something could not be timed."""
    options = _parser().parse_args(arguments)
    folder = _work_folder()
    setting, rows, failures = Setting(folder, options.quick, options.full), [], []
    print(f"making a file takes {1e6 * file_cost(folder / 'files'):.0f} µs here", flush=True)
    try:
        for name in options.only or ([PEERS] if options.peers else [*GROUPS, PEERS]):
            if name == PEERS and options.no_peers:
                continue
            found = compare(setting, options.peer or beside.USUAL, failures) if name == PEERS else GROUPS[name](setting)
            rows += _shown(name, found, failures)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    RESULTS.write_text(as_json(rows, failures), encoding="utf-8")
    if options.write_readme and not write_readme(ROOT / "README.md", rows):
        failures.append("README.md has no <!-- bench --> and <!-- /bench -->")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures or any(row.verdict == "over" for row in rows) else 0


def compare(setting: Setting, names: list[str], failures: list[str]) -> Iterator[Row]:
    """A chain of 100 and a fan-out of 1,000 in the runner and in each peer."""
    there = beside.make(list(names))
    failures += [f"{name}: no environment" for name in names if name not in there]
    for shape, count, build in (("chain", 100, projects.chain), ("fan", 1000, projects.fan)):
        own = run(build(setting.folder / f"peers-{shape}", count))
        value = seconds(take_turns({"runner": own}, setting.times(5))["runner"])
        for name in there:
            contestant = beside.contestant(name, shape, count, setting.folder)
            try:
                first = once(contestant).seconds
                # What takes long varies little: one time is enough.
                found = (
                    first if first > 3 else seconds(take_turns({name: contestant}, setting.times(5), warm=False)[name])
                )
            except Failed as failure:
                failures.append(f"{name} {shape} {count}: {failure}")
                continue
            bar = 25 if (name, shape) == ("zenml", "chain") else None
            work = {"chain": "chain", "fan": "fan-out"}[shape]
            yield Peer(f"{work} of {count:,} beside {name}", value, found, name, bar)


def _work_folder() -> Path:
    # ext4 passes over inodes that were deleted in the last minutes, one by one, wherever it makes a file near them:
    # after a test run a file in the system's temporary folder costs 0.4 ms, not 0.03. With this attribute each new
    # folder starts on clean ground; other file systems refuse it and do without.
    RESULTS.parent.mkdir(exist_ok=True)
    subprocess.run(["chattr", "+T", str(RESULTS.parent)], capture_output=True)
    return Path(tempfile.mkdtemp(prefix="work-", dir=RESULTS.parent))


def _shown(name: str, rows: Iterator[Row], failures: list[str]) -> Iterator[Row]:
    # Printed as they come: the whole takes minutes.
    try:
        for row in rows:
            print(as_line(row), flush=True)
            yield row
    except Failed as failure:
        failures.append(f"{name}: {failure}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a third of the repetitions")
    parser.add_argument("--full", action="store_true", help="also the fan-out of 10,000")
    parser.add_argument(
        "--only", action="append", choices=[*GROUPS, PEERS], metavar="NAME", help=", ".join([*GROUPS, PEERS])
    )
    parser.add_argument("--peers", action="store_true", help="the peers only")
    parser.add_argument("--no-peers", action="store_true", help="all but the peers")
    known = [*beside.USUAL, *beside.MORE]
    parser.add_argument("--peer", action="append", choices=known, metavar="NAME", help=f"this peer: {', '.join(known)}")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
