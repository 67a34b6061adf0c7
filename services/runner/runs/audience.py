"""The audience of a run: the processes that follow it for their clients, as its holder has heard."""

from services.runner.runs.ear import Ear

# A process that has not spoken of the run for so long does not follow it any more.
SILENT_SECONDS = 3.0


class Audience:
    """`patience`: the seconds for which the run goes on after its last follower; without end, to its own end."""

    def __init__(self, ear: Ear, patience: float) -> None:
        self._ear, self._patience = ear, patience
        self._heard: dict[str, float] = {}
        self._known = False
        self._until: float | None = None

    def expect(self, seconds: float) -> None:
        """The first follower comes within so long."""
        self._until = self._ear.now + seconds

    def join(self, follower: str) -> None:
        """It follows, or still does."""
        self._heard[follower] = self._ear.now
        self._known = True
        self._until = None

    def leave(self, follower: str) -> None:
        if self._heard.pop(follower, None) is not None and not self._heard:
            self._until = self._ear.now + self._patience

    def forget_silent(self) -> None:
        before = self._ear.now - SILENT_SECONDS
        for follower in [follower for follower, heard in self._heard.items() if heard <= before]:
            self.leave(follower)

    @property
    def left(self) -> bool:
        """Nobody follows any more; who is still expected to begin has not left."""
        return self._known and not self._heard

    @property
    def gone(self) -> bool:
        """Nobody follows, and nobody is waited for."""
        return self._until is not None and self._until <= self._ear.now
