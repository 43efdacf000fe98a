"""Values of labels keep Kubernetes' rules, and no two texts get one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.orchestrators.labels import VALUE, label_value, labels


@given(st.text(max_size=100))
def test_whatever_is_said_a_label_can_have(text: str) -> None:
    assert VALUE.fullmatch(label_value(text)) and len(label_value(text)) <= 63


def test_what_no_label_can_have_is_an_annotation() -> None:
    made, originals = labels({"runner/pipeline": "train_", "runner/step": "fit"})
    assert made["runner/step"] == "fit" and made["runner/pipeline"].startswith("train.")
    assert originals == {"runner/pipeline": "train_"}
