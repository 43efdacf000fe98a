"""What differs between two documents, field by field."""

from __future__ import annotations

from runner.plan.changes import CHANGE, CHANGED, CREATE, REMOVED, SAME, SET, FieldChange, change, changes_to_json

BEFORE = {"kind": "stack", "name": "prod", "orchestrator": {"flavor": "local", "max_parallel": 2}, "description": "x"}


def test_what_was_not_there_is_created() -> None:
    assert change("stack", "prod", None, BEFORE, "a.yaml:1") == ("create", "stack", "prod", "a.yaml:1", ())
    assert change("stack", "prod", None, BEFORE).action == CREATE


def test_equal_documents_are_the_same_whatever_their_order() -> None:
    assert change("stack", "prod", BEFORE, dict(reversed(BEFORE.items()))).action == SAME


def test_fields_are_compared_at_every_depth() -> None:
    after = {
        "kind": "stack",
        "name": "prod",
        "orchestrator": {"flavor": "local", "max_parallel": 4, "isolation": "none"},
    }
    found = change("stack", "prod", BEFORE, after)
    assert found.action == CHANGE
    assert found.fields == (
        FieldChange("orchestrator.max_parallel", CHANGED, 2, 4),
        FieldChange("orchestrator.isolation", SET, None, "none"),
        FieldChange("description", REMOVED, "x"),
    )


def test_a_number_and_its_text_differ() -> None:
    assert [field.path for field in change("stack", "p", {"a": 1, "b": True}, {"a": "1", "b": 1}).fields] == ["a", "b"]


def test_as_json() -> None:
    (found,) = changes_to_json([change("stack", "p", {"a": 1}, {"a": 2})])
    assert found["fields"] == [{"path": "a", "how": "changed", "before": 1, "after": 2}]
