"""The steps of `train.yaml`: plain functions that can be called, tested and imported like any other."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from runner import step_context

TARGET = "digit"


class Split(NamedTuple):
    """Two outputs by name: a step may return a NamedTuple, a tuple or a mapping of just its `outputs`."""

    train: pd.DataFrame
    test: pd.DataFrame


class Evaluation(NamedTuple):
    """How good a model is: figures for people, and how often each digit (row) was taken for each other (column)."""

    metrics: dict[str, float]
    confusion: np.ndarray


class Choice(NamedTuple):
    """The better model and what it is called."""

    name: str
    model: BaseEstimator


class Report(NamedTuple):
    """A picture of the chosen model's mistakes, and everything that was measured."""

    confusion_matrix: Path
    metrics: dict[str, object]


def load() -> pd.DataFrame:
    """1,797 images of 8 × 8 pixels, one a row: `pixel_0_0` … `pixel_7_7` from 0 to 16, and the digit shown."""
    digits = load_digits(as_frame=True)
    return digits.frame.rename(columns={"target": TARGET})


def split(digits: pd.DataFrame, test_size: float, seed: int) -> Split:
    """Put `test_size` of the rows aside; each digit keeps its share in both parts."""
    train, test = train_test_split(digits, test_size=test_size, random_state=seed, stratify=digits[TARGET])
    return Split(train.reset_index(drop=True), test.reset_index(drop=True))


def fit_logistic(train: pd.DataFrame, regularization: float) -> Pipeline:
    """A logistic regression on scaled pixels."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=regularization, max_iter=500))
    return model.fit(*pixels_and_digits(train))


def fit_forest(train: pd.DataFrame, trees: int, seed: int) -> RandomForestClassifier:
    """A random forest."""
    return RandomForestClassifier(n_estimators=trees, random_state=seed).fit(*pixels_and_digits(train))


def evaluate(model: BaseEstimator, test: pd.DataFrame) -> Evaluation:
    """Accuracy, macro F1 and the confusion matrix on images that the model has not seen."""
    pixels, digits = pixels_and_digits(test)
    predicted = model.predict(pixels)
    metrics = {
        "accuracy": round(float(accuracy_score(digits, predicted)), 4),
        "macro_f1": round(float(f1_score(digits, predicted, average="macro")), 4),
    }
    print(f"{len(digits)} images:", ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    return Evaluation(metrics, confusion_matrix(digits, predicted))


def choose(
    logistic: BaseEstimator,
    forest: BaseEstimator,
    logistic_metrics: dict[str, float],
    forest_metrics: dict[str, float],
    score: str,
) -> Choice:
    """The model with the higher score; of two equals the simpler one, which is the logistic regression."""
    if forest_metrics[score] > logistic_metrics[score]:
        return Choice("forest", forest)
    return Choice("logistic", logistic)


def report(
    chosen: str,
    logistic_metrics: dict[str, float],
    forest_metrics: dict[str, float],
    logistic_confusion: np.ndarray,
    forest_confusion: np.ndarray,
) -> Report:
    """Draw the chosen model's confusion matrix and write down how both did.

    The one step that knows that it is part of a run: its context gives a folder to write to, and keeps figures that
    `runner runs show` prints beside the step.
    """
    metrics = {"logistic": logistic_metrics, "forest": forest_metrics}
    confusion = {"logistic": logistic_confusion, "forest": forest_confusion}[chosen]
    context = step_context()
    context.log_metrics(**metrics[chosen])
    picture = draw_confusion(
        confusion, f"{chosen}: {metrics[chosen]['accuracy']:.1%}", context.folder / "confusion.png"
    )
    return Report(picture, {"chosen": chosen, **metrics})


def pixels_and_digits(images: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What scikit-learn calls X and y."""
    return images.drop(columns=TARGET).to_numpy(), images[TARGET].to_numpy()


def draw_confusion(confusion: np.ndarray, title: str, path: Path) -> Path:
    """The matrix as a PNG. The same matrix gives the same bytes: no date, no version of the program goes in."""
    from matplotlib.figure import Figure  # slow to import, and wanted by this step alone

    figure = Figure(figsize=(5, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true", title=title, xticks=range(10), yticks=range(10))
    axes.imshow(confusion, cmap="Blues")
    dark = confusion.max() / 2
    for (row, column), count in np.ndenumerate(confusion):
        axes.text(column, row, str(count), ha="center", va="center", color="white" if count > dark else "black")
    figure.savefig(path, metadata={"Software": None})
    return path
