"""Merging: chunks found side by side in a document are told as the one passage that they are, no text twice."""

from msgspec import structs

from libs.contracts.search import Passage


def merged(passages: list[Passage]) -> list[Passage]:
    """Best first, before and after: what was merged stands where the best of it stood."""
    ranks = {passage.chunk_id: rank for rank, passage in enumerate(passages)}
    runs: list[list[Passage]] = []
    for passage in sorted(passages, key=lambda each: (each.document_id, each.position)):
        if runs and _is_next(runs[-1][-1], passage):
            runs[-1].append(passage)
        else:
            runs.append([passage])
    best = [min(run, key=lambda each: ranks[each.chunk_id]) for run in runs]
    joined = {ranks[first.chunk_id]: _joined(run, first) for run, first in zip(runs, best, strict=True)}
    return [joined[rank] for rank in sorted(joined)]


def _is_next(one: Passage, other: Passage) -> bool:
    return other.document_id == one.document_id and other.position == one.position + 1


def _joined(run: list[Passage], best: Passage) -> Passage:
    first, *others = run
    if not others:
        return first
    text, end = first.text, first.start + len(first.text)
    for passage in others:
        text += _gap(passage.start - end) + passage.text[max(0, end - passage.start) :]
        end = max(end, passage.start + len(passage.text))
    score = max(passage.score for passage in run)
    return structs.replace(best, position=first.position, start=first.start, text=text, score=score, chunks=len(run))


def _gap(characters: int) -> str:
    """Chunks begin and end without the white space between them: it was a line's end, or that of a paragraph."""
    return "\n\n"[: max(0, characters)]
