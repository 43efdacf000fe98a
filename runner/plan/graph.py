"""The order of steps: waves, ancestors, descendants. Pure and linear, whatever the depth of the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

Needs = Mapping[str, Collection[str]]
"""Step → the steps it needs. Names that are not steps of the mapping do not count."""


def waves(needs: Needs) -> dict[str, int]:
    """Each step's wave, 1 + the greatest wave of what it needs; in the order of waves, within one as written.

    Raises ValueError when steps need each other in a circle.
    """
    feeds, missing = _reversed(needs), {step: len(_known(needs, step)) for step in needs}
    position = {step: place for place, step in enumerate(needs)}
    found: dict[str, int] = {}
    wave, ready = 1, [step for step in needs if not missing[step]]
    while ready:
        found.update(dict.fromkeys(ready, wave))
        following = []
        for step in ready:
            for fed in feeds[step]:
                missing[fed] -= 1
                if not missing[fed]:
                    following.append(fed)
        wave, ready = wave + 1, sorted(following, key=position.__getitem__)
    if len(found) < len(needs):
        raise ValueError(f"a cycle among: {', '.join(step for step in needs if step not in found)}")
    return found


def ancestors(needs: Needs, steps: Iterable[str]) -> set[str]:
    """These steps and everything they need, directly or not."""
    return _reach({step: _known(needs, step) for step in needs}, steps)


def descendants(needs: Needs, steps: Iterable[str]) -> set[str]:
    """These steps and everything that needs them, directly or not."""
    return _reach(_reversed(needs), steps)


def select(needs: Needs, only: Collection[str] = (), from_: Collection[str] = (), to: Collection[str] = ()) -> set[str]:
    """The steps that are named by `only`, stand at or after one of `from_`, and at or before one of `to`.

    An empty collection sets no condition.
    """
    chosen = set(needs)
    if only:
        chosen &= set(only)
    if from_:
        chosen &= descendants(needs, from_)
    if to:
        chosen &= ancestors(needs, to)
    return chosen


def _known(needs: Needs, step: str) -> dict[str, None]:
    return {name: None for name in needs[step] if name in needs}


def _reversed(needs: Needs) -> dict[str, list[str]]:
    feeds: dict[str, list[str]] = {step: [] for step in needs}
    for step in needs:
        for needed in _known(needs, step):
            feeds[needed].append(step)
    return feeds


def _reach(edges: Mapping[str, Iterable[str]], starts: Iterable[str]) -> set[str]:
    seen = {step for step in starts if step in edges}
    todo = list(seen)
    while todo:
        for step in edges[todo.pop()]:
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return seen
