"""Support read off a prompt's own passage, the halves of the items, and BLEU of texts among themselves."""

import pytest
import torch
from sacrebleu.metrics import BLEU

from empirical.errors import InputError
from empirical.evidence_task.halves import halves, taken
from empirical.evidence_task.item import with_evidence, without_evidence
from empirical.evidence_task.items import own_items
from empirical.evidence_task.measures import overlap, self_bleu
from empirical.evidence_task.support import supported
from empirical.models import load
from empirical.rewards import load_reward
from empirical.scored import Scored
from empirical.scorer_data import EVIDENCE, learnable


def test_it_is_the_overlap_with_the_items_own_passage():
    for item in own_items()[::10]:
        for text in (item.answers[0], f"{item.answers[0]} or something else entirely", "nobody knows"):
            found = overlap(text, item.passage, item.question)
            assert supported(with_evidence(item), text) == (found if found == found else 0.0)


def test_an_answer_that_says_nothing_is_not_supported():
    assert supported(with_evidence(own_items()[0]), "") == 0.0


def test_a_prompt_without_a_passage_is_refused():
    with pytest.raises(InputError, match="shows no passage"):
        supported(without_evidence(own_items()[0]), "yes")


def test_it_is_a_reward_as_a_users_own(tiny_folder):
    prior, item = load(tiny_folder / "prior"), own_items()[0]
    reward = load_reward("empirical.evidence_task.support:supported", prior)
    ids = prior.tokenizer(item.answers[0], add_special_tokens=False)["input_ids"]
    empty = torch.empty(0)
    assert reward.score(Scored(with_evidence(item), [ids], empty, empty.numpy(), empty.numpy())).tolist() == [1.0]


def test_the_study_and_training_share_no_item():
    studied, free = halves(own_items())
    assert len(studied) == len(free) == 75
    assert {item.id for item in studied} | {item.id for item in free} == {item.id for item in own_items()}
    assert [sum(item.kind == kind for item in studied) for kind in ("only", "conflict", "common")] == [25, 25, 25]
    assert learnable(EVIDENCE) == [with_evidence(item) for item in free]
    assert [item.kind for item in taken(studied, 1)] == ["only", "conflict", "common"]


def test_self_bleu_is_sacrebleus_mean():
    texts = ["the cat sat on the mat today", "the cat sat on a mat", "a dog ran over the hill today"]
    bleu = BLEU(effective_order=True)
    expected = sum(bleu.sentence_score(t, [o for o in texts if o != t]).score for t in texts) / 300
    assert self_bleu(texts) == pytest.approx(expected)
    assert 0 < self_bleu(texts) < 1
    assert self_bleu(["one thing only"]) != self_bleu(["one thing only"])
    assert self_bleu(["so it is here"] * 4) == pytest.approx(1.0)
