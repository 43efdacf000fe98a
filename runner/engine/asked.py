"""What the artifact store answers while a plan is made: a plan can do without, a run cannot."""

from __future__ import annotations

from runner.artifact_store.ledger import Ledger
from runner.errors import RunnerError
from runner.records import StepResult


class Asked:
    """Looks results up by their cache keys. Once the store has failed it is asked no more, and `note` says why."""

    def __init__(self, ledger: Ledger, *, insist: bool, ask: bool = True) -> None:
        self.ledger = ledger
        self.ask = ask
        self.insist = insist
        self.note = ""

    def cached(self, key: str, expires_after: float | None) -> StepResult | None:
        """As `Ledger.cached`; None where the store cannot be asked, unless `insist` was said, or need not be."""
        if self.note or not self.ask:
            return None
        try:
            return self.ledger.cached(key, expires_after)
        except RunnerError as error:
            if self.insist:
                raise
            help = f" ({error.help})" if error.help else ""
            self.note = f"what is cached is not known: {error.message}{help}"
            return None
