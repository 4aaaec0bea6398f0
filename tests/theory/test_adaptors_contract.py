"""What every adaptor keeps to: the caller's order, names and parts, refusals, single precision, pickling."""

import pickle

import numpy as np
import pytest
import torch
from transformers import LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from theory.adaptors import (
    Adaptor,
    ancestral,
    compose,
    eta,
    local,
    locally_typical,
    min_p,
    nucleus,
    temperature,
    top_k,
)

INF = float("inf")


def test_the_order_of_temperature_and_truncation_is_the_callers():
    """Pitfall 30: transformers tempers first, llama.cpp last; on the same numbers the two keep other tokens."""
    logits = torch.from_numpy(np.random.default_rng(1).normal(scale=2.0, size=(500, 20)))
    tempering, cutting = TemperatureLogitsWarper(1.7), TopPLogitsWarper(0.8137)
    first = compose(temperature(1.7), nucleus(0.8137))
    last = compose(nucleus(0.8137), temperature(1.7))
    ids = torch.zeros((500, 1), dtype=torch.long)
    for ours, processors in ((first, [tempering, cutting]), (last, [cutting, tempering])):
        expected = torch.log_softmax(LogitsProcessorList(processors)(ids, logits), dim=-1)
        found = local(ours, torch.log_softmax(logits, dim=-1))[0]
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-12)
    assert first.name == "temperature(1.7)+nucleus(0.8137)"
    differs = torch.isfinite(first(logits)) != torch.isfinite(last(logits))
    assert differs.any(dim=-1).double().mean() > 0.5


def test_the_tail_is_not_cut_by_single_precision():
    """Pitfall 29: fp32 noise of 2^-24 never reaches tokens rarer than that; log-probabilities do."""
    log_p = torch.tensor([0.0, -40.0, -80.0])
    for adaptor in (ancestral(), temperature(0.9)):
        assert torch.isfinite(local(adaptor, log_p)[0]).all()


@pytest.mark.parametrize(
    ("make", "value", "word"),
    [
        *[(temperature, value, "temperature T must be") for value in (0, -1.0, INF, np.nan)],
        *[(top_k, value, "top-k's k must be") for value in (0, -3, 1.5)],
        *[(nucleus, value, "nucleus mass pi must lie") for value in (0, -0.1, 1.1, np.nan)],
        *[(locally_typical, value, "locally typical mass tau must lie") for value in (0, 1.1, np.nan)],
        *[(eta, value, "eta's epsilon must lie") for value in (0, 1.1, np.nan)],
        *[(min_p, value, "min-p's rho must lie") for value in (0, 1.1, np.nan)],
    ],
)
def test_a_bad_parameter_is_named(make, value, word):
    with pytest.raises(ValueError, match=f"^{word}"):
        make(value)


def test_an_adaptor_says_what_it_does():
    mine = Adaptor("mine", np.copy)
    for adaptor, name, parts in [
        (ancestral(), "ancestral", (("ancestral", 0.0),)),
        (temperature(0.7), "temperature(0.7)", (("temperature", 0.7),)),
        (top_k(3), "top_k(3)", (("top_k", 3),)),
        (nucleus(0.9), "nucleus(0.9)", (("nucleus", 0.9),)),
        (locally_typical(0.8), "locally_typical(0.8)", (("locally_typical", 0.8),)),
        (eta(0.01), "eta(0.01)", (("eta", 0.01),)),
        (min_p(0.2), "min_p(0.2)", (("min_p", 0.2),)),
        (compose(top_k(3), min_p(0.2)), "top_k(3)+min_p(0.2)", (("top_k", 3), ("min_p", 0.2))),
        (
            compose(top_k(3), compose(min_p(0.2), eta(0.01))),
            "top_k(3)+min_p(0.2)+eta(0.01)",
            (("top_k", 3), ("min_p", 0.2), ("eta", 0.01)),
        ),
        (mine, "mine", ()),
        (compose(top_k(3), mine), "top_k(3)+mine", ()),
        (compose(mine, top_k(3)), "mine+top_k(3)", ()),
    ]:
        assert (adaptor.name, adaptor.parts) == (name, parts)


def test_an_adaptor_that_cuts_everything_is_named():
    with pytest.raises(ValueError, match="the output of nothing"):
        local(Adaptor("nothing", lambda log_p: np.full_like(log_p, -INF)), np.log([0.5, 0.5]))


def test_adaptors_travel_to_workers():
    adaptor = compose(temperature(0.7), compose(nucleus(0.9), top_k(2)))
    again = pickle.loads(pickle.dumps(adaptor))
    log_p = np.log([0.4, 0.3, 0.2, 0.1])
    assert again.name == adaptor.name
    assert np.array_equal(again(log_p), adaptor(log_p))
