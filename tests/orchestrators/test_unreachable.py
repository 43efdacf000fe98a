"""Addresses and secrets that a step elsewhere cannot have."""

from __future__ import annotations

from runner.orchestrators.unreachable import on_this_machine

HERE = {"flavor": "s3", "endpoint_url": "http://127.0.0.1:9000"}


def test_an_address_that_means_this_machine_is_refused_where_it_stands() -> None:
    (refusal,) = on_this_machine({"artifact_store": HERE, "secret_store": {}}, "pod")
    assert (refusal.path, refusal.code) == (("artifact_store", "endpoint_url"), "unreachable-address")
    assert refusal.message == "a pod cannot reach 'http://127.0.0.1:9000': there, this address is the pod's own"


def test_other_addresses_are_not() -> None:
    assert not list(on_this_machine({"artifact_store": HERE | {"endpoint_url": "http://s3.local:9000"}}, "pod"))
