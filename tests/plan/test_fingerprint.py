"""Digests of parts, and the cache's keys."""

from __future__ import annotations

import datetime
import subprocess
import sys

from runner.plan.fingerprint import cache_key, part


def test_part_is_a_digest_of_the_value():
    assert part({"a": 1, "b": [True, None, "x"]}) == part({"b": [True, None, "x"], "a": 1})
    assert len(part("")) == 64


def test_values_that_differ_have_other_digests():
    values = [1, 1.0, "1", True, None, [1], [], {}, "", {"a": None}, ["a", None], datetime.date(2027, 1, 1)]
    assert len({part(value) for value in values}) == len(values)


def test_key_is_stable():
    # A key that changes throws away everybody's cache: bump the version when it has to.
    key = cache_key({"code": "c", "parameters": "p"}, {"data": "d"})
    assert key == "d1fe56d05d0a6e2e31f023cb339fba15c2d252b8376ed8ae36ddd77c33cdefae"
    assert key == cache_key({"parameters": "p", "code": "c"}, {"data": "d"})


def test_every_part_and_input_counts():
    keys = [
        cache_key({"code": "c"}, {"data": "d"}),
        cache_key({"code": "x"}, {"data": "d"}),
        cache_key({"code": "c"}, {"data": "x"}),
        cache_key({"code": "c"}, {"other": "d"}),
        cache_key({"code": "c", "data": "d"}, {}),
    ]
    assert len(set(keys)) == len(keys)


def test_workers_load_little():
    code = "import sys; before = set(sys.modules); import runner.plan.fingerprint; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"ast", "inspect", "dataclasses", "pydantic", "runner.plan.code"} & set(loaded)
