"""Variables that keep numeric libraries to a step's processors."""

from __future__ import annotations

from runner.orchestrators.threads import thread_variables


def test_thread_variables_round_up() -> None:
    assert thread_variables({"cpu_count": 1.5})["OMP_NUM_THREADS"] == "2"
    assert thread_variables({}) == {}
