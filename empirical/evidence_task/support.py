"""Support as a reward of text alone: how much of what an answer says stands in the passage of its prompt."""

from empirical.errors import InputError
from empirical.evidence_task.measures import overlap

PASSAGE, QUESTION = "Passage: ", "\n\nQuestion: "


def supported(prompt: str, answer: str) -> float:
    """D(y) in [0, 1]: the share of the answer's content words, the question's aside, that the passage has; 0 for none.

    As the success probability of a discriminator it is stochastic: an answer half of whose words are supported passes
    half of the time. Raises InputError on a prompt of another form than `with_evidence`'s.

    >>> supported("Passage: The dog Rex barks.\\n\\nQuestion: Who barks?", "Rex and Tom.")
    0.5
    """
    passage, found, question = prompt.removeprefix(PASSAGE).partition(QUESTION)
    if not found or not prompt.startswith(PASSAGE):
        raise InputError(f"{prompt[:40]!r} shows no passage; prompts of this reward begin with {PASSAGE!r}.")
    share = overlap(answer, passage, question)
    return share if share == share else 0.0
