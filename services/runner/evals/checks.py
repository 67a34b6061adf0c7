"""Checks: whether an answer is as it should be. Those that need a model to say so are in `judging`.

The rule: what can't be told is no failure of the answer, but a verdict without one, which says why.
"""

from array import array

from libs.bus.bus import Bus
from libs.contracts import embeddings, ids
from libs.contracts.evals import Check, Contains, Exact, JsonSchema, Judge, Regex, Similarity, Verdict
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Run
from services.runner.prompting import formats
from services.runner.prompting.patterns import Patterns
from services.runner.prompting.schemas import Schemas
from services.runner.prompting.templates import spelled

_NOTHING_EXPECTED = (
    "There is nothing to compare the answer with: give `expected`, here or in the data point's metadata."
)
_LONGEST_COMPARED = 100_000


class Checks:
    def __init__(self, bus: Bus, schemas: Schemas, patterns: Patterns) -> None:
        self._bus, self._schemas, self._patterns = bus, schemas, patterns

    async def must_be_sound(self, check: Check, field: str) -> None:
        """Raises Fault INVALID for a check that nothing could be judged by."""
        match check:
            case Regex(pattern):
                await self._patterns.check(pattern, f"{field}.pattern")
            case JsonSchema(schema):
                await self._schemas.check(schema, f"{field}.schema")
            case Similarity(_, threshold) | Judge(_, _, threshold) if not -1 <= threshold <= 1:
                raise Fault(Code.INVALID, "A threshold is a number from -1 to 1.", field=f"{field}.threshold")
            case Judge(criteria) if not criteria.strip():
                raise Fault(Code.INVALID, "Say by which criteria to judge.", field=f"{field}.criteria")
            case _:
                return

    async def verdict(self, check: Check, answer: str, expected: str | None) -> Verdict:
        """`expected` is what the data point expects. Raises Fault where what it takes is away: UNAVAILABLE, TIMEOUT."""
        try:
            return await self._verdict(check, answer, expected)
        except Fault as fault:
            if fault.code is not Code.INVALID:
                raise
            return Verdict(None, reason=fault.message)

    async def _verdict(self, check: Check, answer: str, expected: str | None) -> Verdict:
        match check:
            case Exact(own, ignore_case):
                return _compared(answer, own or expected, ignore_case, whole=True)
            case Contains(own, ignore_case):
                return _compared(answer, own or expected, ignore_case, whole=False)
            case Regex(pattern):
                return _passed(await self._patterns.found(pattern, answer), "The pattern is not found in the answer.")
            case JsonSchema(schema):
                misfit = await self._schemas.misfit(schema, formats.bare(answer))
                return _passed(misfit is None, misfit or "")
            case Similarity(own, threshold):
                return await self._similar(answer, own or expected, threshold)
            case Judge():
                raise ValueError("a judge is asked by a run of its own")

    async def _similar(self, answer: str, expected: str | None, threshold: float) -> Verdict:
        if expected is None:
            return Verdict(None, reason=_NOTHING_EXPECTED)
        texts = [answer[:_LONGEST_COMPARED], expected[:_LONGEST_COMPARED]]
        found = await self._bus.call(embeddings.EMBED, embeddings.EmbedTexts(ids.NONE, texts), timeout=60.0)
        similarity = _dot(*found.vectors)
        passed = similarity >= threshold
        return Verdict(passed, round(similarity, 6), "" if passed else f"The similarity is under {threshold:g}.")


def expected(point: Run, *, rerun: bool) -> str | None:
    """What the data point expects as an answer; its own output, where that is not what is judged."""
    own = point.metadata.get("expected")
    if own is not None:
        return spelled(own)
    return point.output if rerun and point.output else None


def _compared(answer: str, expected: str | None, ignore_case: bool, *, whole: bool) -> Verdict:
    if expected is None:
        return Verdict(None, reason=_NOTHING_EXPECTED)
    said, wanted = answer.strip(), expected.strip()
    if ignore_case:
        said, wanted = said.casefold(), wanted.casefold()
    if whole:
        return _passed(said == wanted, "The answer is another one than expected.")
    return _passed(wanted in said, "The answer does not contain what is expected.")


def _dot(one: bytes, other: bytes) -> float:
    """The cosine of two vectors of length 1."""
    return sum(x * y for x, y in zip(array("f", one), array("f", other), strict=True))


def _passed(passed: bool, otherwise: str) -> Verdict:
    return Verdict(passed, 1.0 if passed else 0.0, "" if passed else otherwise)
