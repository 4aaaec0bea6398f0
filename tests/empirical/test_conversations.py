"""Prompts as token ids: exactly one BOS or none, never an EOS, nothing merged, and templates that cannot reach out."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from empirical.checkpoints import ModelError
from empirical.conversations import OPENING, dialogue_ids, exchange_ids, opening_ids, with_one_bos
from empirical.tiny import EOS

BOS = "Ā"  # a letter of the tiny tokenizer's alphabet, made special
PLAIN = "{% for m in messages %}{{ m['content'] }}{% endfor %}:"
TEMPLATES = {None: 0, PLAIN: 0, "{{ bos_token }}" + PLAIN: 1, "{{ bos_token }}{{ bos_token }}" + PLAIN: 1}


@pytest.fixture(scope="module")
def made(triple):
    """Tokenizers that have a BOS or none, and add nothing, BOS, EOS or both around a text."""

    def make(bos=True, adds="$A", template=None):
        tokenizer = copy.deepcopy(triple.prior.tokenizer)
        if bos:
            tokenizer.add_special_tokens({"bos_token": BOS})
        ids = [(token, tokenizer.convert_tokens_to_ids(token)) for token in (BOS, EOS) if token in adds]
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single=adds, special_tokens=ids)
        tokenizer.chat_template = template
        return tokenizer

    return make


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("adds", ["$A", f"{BOS} $A", f"{BOS} $A {EOS}", f"$A {EOS}"])
def test_one_bos_where_tokenizer_or_template_has_one(made, adds, template):
    tokenizer = made(True, adds, template)
    ids = opening_ids(tokenizer, "Hello")
    bos = tokenizer.bos_token_id
    assert ids.count(bos) == (TEMPLATES[template] or adds.startswith(BOS))
    assert (bos not in ids) or ids[0] == bos
    assert tokenizer.eos_token_id not in ids, "a prompt that is closed has no answer"
    assert tokenizer.decode(ids, skip_special_tokens=True) == ("Hello:" if template else "Human: Hello Assistant:")


@pytest.mark.parametrize("adds", ["$A", f"{BOS} $A"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_bos_that_is_asked_for_or_refused(made, adds, template):
    tokenizer = made(True, adds, template)
    with_bos, without = (opening_ids(tokenizer, "Hello", bos=bos) for bos in (True, False))
    assert with_bos == [tokenizer.bos_token_id, *without]
    assert tokenizer.bos_token_id not in without


def test_a_tokenizer_without_bos(made):
    tokenizer = made(bos=False)
    assert tokenizer.decode(opening_ids(tokenizer, "Hello")) == "Human: Hello Assistant:"
    with pytest.raises(ModelError, match="no beginning-of-sequence"):
        opening_ids(tokenizer, "Hello", bos=True)


def test_bos_that_is_eos_too(made):
    """GPT-2's <|endoftext|>: a tokenizer that only adds EOS behind a text adds no BOS."""
    tokenizer = made(bos=False, adds=f"$A {EOS}")
    tokenizer.bos_token = EOS
    assert tokenizer.eos_token_id not in opening_ids(tokenizer, "Hello")


def test_exchanges_have_one_bos_too(made):
    for adds in ("$A", f"{BOS} $A"):
        for template, written in TEMPLATES.items():
            tokenizer = made(True, adds, template)
            ids = exchange_ids(tokenizer, "Hello", "yes", closes=True)
            assert ids.count(tokenizer.bos_token_id) == (written or adds.startswith(BOS))
            assert ids.count(tokenizer.eos_token_id) == 1
            assert ids[-1] == tokenizer.eos_token_id


def test_a_template_s_text_gets_nothing_that_the_tokenizer_would_add(made):
    for adds in ("$A", f"$A {EOS}", f"{BOS} $A {EOS}"):
        tokenizer = made(True, adds, PLAIN)
        assert tokenizer.eos_token_id not in exchange_ids(tokenizer, "Hello", "yes")


def test_turns_alternate_and_the_last_one_opens_an_answer(made):
    spoken = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }};{% endfor %}"
    tokenizer = made(template=spoken + "{% if add_generation_prompt %}assistant:{% endif %}")
    ids = dialogue_ids(tokenizer, ["hi", "yes?", "no"])
    assert tokenizer.decode(ids) == "user: hi;assistant: yes?;user: no;assistant:"


@given(ids=st.lists(st.integers(0, 3), max_size=6), bos=st.sampled_from([None, True, False]))
def test_bos_is_idempotent_and_touches_nothing_else(made, ids, bos):
    tokenizer = made()
    tokenizer.bos_token = EOS  # id 0, so that lists of small ids begin with it
    once = with_one_bos(tokenizer, ids, bos)
    assert with_one_bos(tokenizer, once, bos) == once
    assert once[:2] != [0, 0]
    kept = once[1:] if once[:1] == [0] else once
    assert kept == ids[len(ids) - len(kept) :]
    assert all(one == 0 for one in ids[: len(ids) - len(kept)])


def test_braces_and_templates_in_a_prompt_are_text(made):
    prompt = "{answer} {prompt} {{ 1 + 1 }} {0}"
    for tokenizer in (made(bos=False), made(bos=False, template=PLAIN)):
        assert prompt in tokenizer.decode(opening_ids(tokenizer, prompt))
    assert made(bos=False).decode(opening_ids(made(bos=False), "x", OPENING)) == "Human: x Assistant:"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.system('touch PLANTED') }}",
        "{{ messages.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{{ raise_exception('no') }}",
        "{{ nonsense.nonsense }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% broken",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_one_sentence(made, template, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"^The chat template of .* fails \(.+\); mend it, or remove it to use"):
        opening_ids(made(template=template), "Hello")
    assert not list(tmp_path.iterdir())
