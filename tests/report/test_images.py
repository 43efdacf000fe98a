"""Images as a table, and one line of how far one is."""

from __future__ import annotations

from runner.report.images import images_text, progress_text


def test_a_table_of_images() -> None:
    images = [
        {"image": "runner-step:ab", "state": "to build", "why": "apt changed", "steps": ["a", "b"]},
        {"image": "mine:1", "state": "exists", "why": "a ready image", "steps": ["c", "d", "e", "f"]},
    ]
    assert images_text(images).splitlines() == [
        "image           state     of       why",
        "runner-step:ab  to build  a, b     apt changed",
        "mine:1          exists    4 steps  a ready image",
    ]
    assert images_text([]) == ""


def test_how_far_one_is() -> None:
    build = {"action": "build", "text": "RUN pip \n install six", "done": 3, "total": 7}
    assert progress_text(build) == "[3/7] RUN pip install six"
    assert progress_text(build, 12) == "[3/7] RUN p…"
    assert progress_text({"action": "push", "text": "", "done": 1_500_000, "total": 3_000_000}) == "1.5 of 3.0 MB"
