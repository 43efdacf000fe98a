"""Images as a table, and one line of how far one is."""

from __future__ import annotations

from runner.report.images import images_text, progress_text, sign_of_life


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


def test_digests_are_cut() -> None:
    names = [f"runner-step:{'ab' * 10}", f"example.com:5000/x@sha256:{'ab' * 32}", "python:3.11-slim", "x:20270131"]
    told = images_text([{"image": name, "state": "", "why": "", "steps": []} for name in names])
    cut = ["runner-step:abababababab", "example.com:5000/x@sha256:abababababab", "python:3.11-slim", "x:20270131"]
    assert [line.split()[0] for line in told.splitlines()[1:]] == cut


def test_how_far_one_is() -> None:
    build = {"action": "build", "text": "RUN pip \n install six", "done": 3, "total": 7}
    assert progress_text(build) == "[3/7] RUN pip install six"
    assert progress_text(build, 12) == "[3/7] RUN p…"
    assert progress_text({"action": "push", "text": "", "done": 1_500_000, "total": 3_000_000}) == "1.5 of 3.0 MB"


def test_a_step_that_takes_its_time() -> None:
    assert sign_of_life("Collecting numpy", 12.3) == "12.0 s: Collecting numpy"
    assert sign_of_life("", 65.0, 18) == "1 m 05 s: nothing…"
