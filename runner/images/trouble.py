"""What went wrong with an image, and which of the settings it is about."""

from __future__ import annotations

from collections.abc import Iterable

from runner.errors import EngineError

_FEW = 4  # steps that are named


class ImageError(EngineError):
    """An image cannot be had.

    `key`   the one of `settings.image` that is to be mended, as far as that is known
    `word`  which of the key's values, where it has several
    `steps` those that run in the image, as soon as that is known
    """

    def __init__(self, message: str, help: str | None = None, key: str = "", word: str = "") -> None:
        super().__init__(message, help)
        self.key = key
        self.word = word
        self.steps: tuple[str, ...] = ()

    def of(self, steps: Iterable[str]) -> ImageError:
        """The same, of an image of these steps."""
        if not self.steps:
            self.steps = tuple(steps)
            more = len(self.steps) - _FEW
            names = ", ".join(f"'{name}'" for name in self.steps[:_FEW]) + (f" and {more} more" if more > 0 else "")
            self.help = f"{self.help or 'look at settings.image'}; of step{'s' * (len(self.steps) > 1)} {names}"
        return self

    def at(self, position: object) -> ImageError:
        """The same, where it is known what was written where."""
        self.help = f"{self.help}, at {position}"
        return self
