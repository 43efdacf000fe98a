"""The digits steps are plain functions: called here without any run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.steps import digits


@pytest.fixture(scope="module")
def parts() -> digits.Split:
    return digits.split(digits.load(), test_size=0.25, seed=7)


def test_load_gives_an_image_a_row() -> None:
    frame = digits.load()
    assert frame.shape == (1797, 65)
    assert sorted(frame["digit"].unique()) == list(range(10))


def test_split_keeps_a_share_for_the_test(parts: digits.Split) -> None:
    assert (len(parts.train), len(parts.test)) == (1347, 450)


def test_split_is_the_same_for_one_seed(parts: digits.Split) -> None:
    again = digits.split(digits.load(), test_size=0.25, seed=7)
    assert again.test.equals(parts.test)


def test_logistic_regression_reads_digits(parts: digits.Split) -> None:
    found = digits.evaluate(digits.fit_logistic(parts.train, regularization=0.1), parts.test)
    assert found.metrics["accuracy"] > 0.9
    assert found.confusion.sum() == 450


def test_forest_is_the_same_for_one_seed(parts: digits.Split) -> None:
    first, second = (digits.evaluate(digits.fit_forest(parts.train, trees=5, seed=1), parts.test) for _ in range(2))
    assert first.metrics == second.metrics


@pytest.mark.parametrize(("forest", "better"), [(0.9, "forest"), (0.8, "logistic"), (0.7, "logistic")])
def test_choose_takes_the_higher_score(forest: float, better: str) -> None:
    chosen = digits.choose("L", "F", {"accuracy": 0.8}, {"accuracy": forest}, score="accuracy")
    assert chosen == digits.Choice(better, {"logistic": "L", "forest": "F"}[better])


def test_the_same_matrix_draws_the_same_picture(tmp_path: Path) -> None:
    first, second = (digits.draw_confusion(np.eye(10, dtype=int), "x", tmp_path / name) for name in ("a.png", "b.png"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(b"\x89PNG")


class Context:
    """What `step_context()` gives inside a run, as far as the step asks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logged: dict[str, float] = {}

    def log_metrics(self, **values: float) -> None:
        self.logged.update(values)


def test_report_draws_and_logs_the_chosen_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(tmp_path)
    monkeypatch.setattr(digits, "step_context", lambda: context)
    scores = {"logistic": {"accuracy": 0.8}, "forest": {"accuracy": 0.9}}
    matrix = np.eye(10, dtype=int)
    report = digits.report("forest", scores["logistic"], scores["forest"], matrix, matrix)
    assert context.logged == {"accuracy": 0.9}
    assert report.metrics == {"chosen": "forest", **scores}
    assert report.confusion_matrix.parent == tmp_path
