"""How well the right passage is found: by meaning, by words, by both, and with chunks of several sizes."""

from collections.abc import Callable, Iterable
from itertools import accumulate

from msgspec import Struct

from bench.retrieval.library import Chunk, Library, library
from bench.retrieval.questions import Labelled, Passage, Question, labelled
from bench.retrieval.ranking import HEAD, figures
from services.retrieval import chunking, wordllama
from services.retrieval.chunking import Bounds
from services.retrieval.fusion import WORDS, fused
from services.retrieval.vectors import Hit

WEIGHTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SIZES = (Bounds(100, 10), Bounds(200, 20), Bounds(300, 30), Bounds(400, 40))
_ROOM = 1000

Order = Callable[[list[Hit]], list[Hit]]


class Answer(Struct, frozen=True):
    """Where a passage stands: from `start` to before `end` in the text of that number."""

    document: int
    start: int
    end: int


async def run() -> None:
    known = labelled()
    dev, test = ([each for each in known.questions if each.is_dev is which] for which in (True, False))
    print(f"{len(known.passages)} passages; {len(dev)} questions to choose by, {len(test)} others to measure with\n")
    await _passages(known, dev, test)
    await _pages(known, dev, test)


def by_meaning(hits: list[Hit]) -> list[Hit]:
    return sorted(hits, key=lambda hit: -hit.score)


def by_words(hits: list[Hit]) -> list[Hit]:
    return sorted((hit for hit in hits if hit.words), key=lambda hit: -hit.words)


async def _passages(known: Labelled, dev: list[Question], test: list[Question]) -> None:
    """Each passage is a document, cut as by default; its best chunk is its rank."""
    texts = [chunking.tidy(passage.text) for passage in known.passages]
    async with library(texts, Bounds()) as filled:
        hits = {question.text: await filled.hits(question.text) for question in known.questions}

        def measured(questions: list[Question], order: Order) -> str:
            return str(figures(_place(question, _owners(filled, order(hits[question.text]))) for question in questions))

        print(f"{'to choose by: what words count':34}{HEAD}")
        for weight in WEIGHTS:
            note = "  the default" if weight == WORDS else ""
            print(f"  {weight:<32}{measured(dev, lambda found, weight=weight: fused(found, weight))}{note}")
        print(f"\n{'measured':34}{HEAD}")
        for name, order in (("dense", by_meaning), ("sparse", by_words), ("fused", fused)):
            print(f"  {name:32}{measured(test, order)}")
        print(f"  {'dense, by exact search':32}{await _exactly(filled, test)}")
        print(f"  of the exact ten nearest chunks the engine names {await _agreement(filled, test, hits):.1%}")


def _owners(filled: Library, hits: Iterable[Hit]) -> list[int]:
    """The passages in the order of their best chunks."""
    return list(dict.fromkeys(filled.chunks[hit.number].document for hit in hits))


def _place(question: Question, owners: list[int]) -> int | None:
    return owners.index(question.passage) if question.passage in owners else None


async def _exactly(filled: Library, questions: list[Question]) -> str:
    places = []
    for question in questions:
        owners = list(dict.fromkeys(filled.chunks[number].document for number in await filled.exact(question.text)))
        places.append(_place(question, owners))
    return str(figures(places))


async def _agreement(filled: Library, questions: list[Question], hits: dict[str, list[Hit]]) -> float:
    shared = 0
    for question in questions:
        named = {hit.number for hit in by_meaning(hits[question.text])[:10]}
        shared += len(named & set((await filled.exact(question.text))[:10]))
    return shared / (10 * len(questions))


async def _pages(known: Labelled, dev: list[Question], test: list[Question]) -> None:
    """The passages of one file or linter are one document, so chunks begin and end where they happen to."""
    texts, answers = _joined(known.passages)
    print(f"\n{len(texts)} pages\n{'chunk/overlap':16}{'chunks':>8}  {'to choose by':^36}  {'measured':^36}")
    print(f"{'':24}" + 2 * f"  {HEAD}{'of 1000':>9}")
    for bounds in SIZES:
        async with library(texts, bounds) as filled:
            cells = [await _cell(filled, questions, answers) for questions in (dev, test)]
            note = "  the default" if bounds == Bounds() else ""
            print(f"{f'{bounds.chunk}/{bounds.overlap}':16}{len(filled.chunks):8}  {'  '.join(cells)}{note}")


def _joined(passages: list[Passage]) -> tuple[list[str], list[Answer]]:
    """The pages, and where each passage stands in them."""
    pages: dict[str, str] = {}
    places: list[tuple[str, int, int]] = []
    for passage in passages:
        text, before = chunking.tidy(passage.text), pages.get(passage.source)
        page = pages[passage.source] = text if before is None else f"{before}\n\n{text}"
        places.append((passage.source, len(page) - len(text), len(page)))
    numbers = {source: number for number, source in enumerate(pages)}
    return list(pages.values()), [Answer(numbers[source], start, end) for source, start, end in places]


async def _cell(filled: Library, questions: list[Question], answers: list[Answer]) -> str:
    """Also how much of the answers stands in the best chunks that fit into 1,000 tokens."""
    places, covered = [], 0.0
    for question in questions:
        best = [filled.chunks[hit.number] for hit in fused(await filled.hits(question.text))]
        answer = answers[question.passage]
        places.append(next((place for place, chunk in enumerate(best) if _answers(chunk, answer)), None))
        covered += _covered(_fitting(best), answer)
    return f"{figures(places)}{covered / len(questions):9.3f}"


def _answers(chunk: Chunk, answer: Answer) -> bool:
    """At least half of the shorter of the two is shared."""
    shared = min(answer.end, chunk.end) - max(answer.start, chunk.start)
    return chunk.document == answer.document and shared * 2 >= min(answer.end - answer.start, len(chunk.text))


def _fitting(best: list[Chunk]) -> list[Chunk]:
    encodings = wordllama.tokenizer().encode_batch_fast([chunk.text for chunk in best], add_special_tokens=False)
    totals = accumulate(map(len, encodings))
    return [chunk for chunk, total in zip(best, totals, strict=True) if total <= _ROOM]


def _covered(chunks: list[Chunk], answer: Answer) -> float:
    own = [chunk for chunk in chunks if chunk.document == answer.document]
    places = {place for chunk in own for place in range(chunk.start, chunk.end)}
    return len(places & set(range(answer.start, answer.end))) / (answer.end - answer.start)
