"""A user's turn, and a whole exchange, as token ids: one BOS where the model expects one, and no other addition."""

from collections.abc import Sequence
from typing import Any

from empirical.checkpoints import ModelError
from empirical.errors import first_line

OPENING = "Human: {prompt} Assistant:"
EXCHANGE = "Human: {prompt} Assistant: {answer}"


def opening_ids(tokenizer: Any, prompt: str, form: str | None = None, bos: bool | None = None) -> list[int]:
    """Token ids of one user turn, up to and including the mark that opens the assistant's answer.

    form: a text with {prompt}; None: the tokenizer's chat template, or `OPENING` where it has none. bos: whether the
    ids begin with BOS; None: where the tokenizer adds it or the template writes it. Never two, never an EOS.
    """
    if form is None and tokenizer.chat_template:
        text = rendered(tokenizer, [{"role": "user", "content": prompt}], opens=True)
    else:
        text = (form or OPENING).replace("{prompt}", prompt)
    return with_one_bos(tokenizer, tokenizer(text, add_special_tokens=False)["input_ids"], bos)


def dialogue_ids(tokenizer: Any, turns: Sequence[str]) -> list[int]:
    """Token ids of turns by user and assistant in alternation, user first and last, up to the answer's opening mark."""
    named = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]
    return list(tokenizer.apply_chat_template(named, add_generation_prompt=True, return_dict=True)["input_ids"])


def exchange_ids(tokenizer: Any, prompt: str, answer: str, form: str | None = None, closes: bool = False) -> list[int]:
    """Token ids of a prompt with its answer, as a classifier reads them, with the tokenizer's own special tokens.

    form: a text with {prompt} and {answer}; None: the chat template, or `EXCHANGE`. closes: EOS at the end.
    """
    if form is None and tokenizer.chat_template:
        turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        ids = tokenizer(rendered(tokenizer, turns, opens=False), add_special_tokens=False)["input_ids"]
        ids = with_one_bos(tokenizer, ids)
    else:
        before, after = (form or EXCHANGE).split("{answer}")
        ids = list(tokenizer(before.replace("{prompt}", prompt) + answer + after)["input_ids"])
    eos = tokenizer.eos_token_id
    return [*ids, eos] if closes and eos is not None and ids[-1:] != [eos] else ids


def with_one_bos(tokenizer: Any, ids: Sequence[int], bos: bool | None = None) -> list[int]:
    """The ids with exactly one BOS in front if `bos`, with none if not; None: one if the tokenizer or the ids have one.

    Raises ModelError if BOS is asked for and the tokenizer has none.
    """
    token = tokenizer.bos_token_id
    if token is None:
        if bos:
            raise ModelError(
                "The tokenizer has no beginning-of-sequence token, but this model's prompts begin with it."
            )
        return list(ids)
    start = next((place for place, one in enumerate(ids) if one != token), len(ids))
    wanted = (start > 0 or tokenizer("a")["input_ids"][:1] == [token]) if bos is None else bos
    return [*[token][:wanted], *ids[start:]]


def rendered(tokenizer: Any, turns: Sequence[dict[str, str]], opens: bool) -> str:
    """The chat template's text, from transformers' sandbox; raises ModelError where the template fails."""
    try:
        return str(tokenizer.apply_chat_template(list(turns), add_generation_prompt=opens, tokenize=False))
    except Exception as problem:  # a template can raise anything, of jinja's or Python's
        raise ModelError(
            f"The chat template of {tokenizer.name_or_path} fails ({first_line(problem)}); mend it, or remove it to "
            "use 'Human: ... Assistant:'."
        ) from problem
