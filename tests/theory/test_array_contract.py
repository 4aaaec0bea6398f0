"""One protocol for every rule: NumPy and torch agree, dtype and shape are kept, inputs stay, bad rows are named."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import adaptors, arrays, certificates, guidance, information
from theory.best_of import best_of, best_of_levels

INF = float("inf")


def local(adaptor):
    return lambda log_p, _: adaptors.local(adaptor, log_p)[0]


def kept(adaptor):
    return lambda log_p, _: adaptors.local(adaptor, log_p)[1]


# The parameters are no round numbers, so that a threshold is never met exactly and rounding cannot decide.
ADAPTORS = [
    adaptors.ancestral(),
    adaptors.temperature(0.7),
    adaptors.temperature(3.0),
    adaptors.top_k(2),
    adaptors.nucleus(0.7137),
    adaptors.eta(0.1113),
    adaptors.locally_typical(0.6131),
    adaptors.min_p(0.2117),
    adaptors.compose(adaptors.temperature(1.5), adaptors.nucleus(0.7137)),
]
POLICIES = {
    **{f"local {adaptor.name}": local(adaptor) for adaptor in ADAPTORS},
    "gibbs": guidance.gibbs,
    "classifier_guidance": lambda p, q: guidance.classifier_guidance(p, q, 1.5),
    "classifier_free_guidance": lambda p, q: guidance.classifier_free_guidance(p, q, 1.5),
    "kl_guided_temperature": lambda p, q: guidance.kl_guided_temperature(p, q, 0.5),
    "controlled": lambda p, q: guidance.controlled(p, q, 1.5),
    "greedy": lambda p, _: guidance.greedy(p),
    "normalised": lambda p, _: arrays.normalised(p),
    "best_of": lambda p, q: best_of(p, q, 3),
    "best_of_levels": lambda p, _: best_of_levels(p, 3),
}
MEASURES = {
    **{f"kept mass {adaptor.name}": kept(adaptor) for adaptor in ADAPTORS},
    "entropy": lambda p, _: information.entropy(p),
    "cross_entropy": information.cross_entropy,
    "kl": information.kl,
    "renyi 0.5": lambda p, _: information.renyi_entropy(p, 0.5),
    "renyi 0": lambda p, _: information.renyi_entropy(p, 0),
    "renyi inf": lambda p, _: information.renyi_entropy(p, INF),
    "varentropy": lambda p, _: information.varentropy(p),
    "objective": lambda p, q: certificates.objective(p, q, q),
    "log_partition": certificates.log_partition,
    "gibbs_residual": lambda p, q: certificates.gibbs_residual(p, q, q, q / 2),
    "dual": lambda p, q: certificates.dual(arrays.logsumexp(q), p, q),
    "duality_gap": lambda p, q: certificates.duality_gap(p, q, q / 2),
    "stationarity": lambda p, q: certificates.stationarity(p, q, q / 2),
    "logsumexp": lambda p, _: arrays.logsumexp(p),
    "expectation": arrays.expectation,
}


@st.composite
def pairs(draw):
    """Two log-policies [B, V], the first inside the support of the second, with ties, zeros and tiny masses."""
    shape = draw(st.sampled_from([(1,), (2,), (3, 4), (2, 3, 7)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    p, q = rng.normal(scale=draw(st.sampled_from([0.1, 1.0, 5.0])), size=(2, *shape))
    if draw(st.booleans()):  # ties
        p[..., : shape[-1] // 2] = p[..., :1]
    if draw(st.booleans()):  # tokens the first rules out
        p[..., 1:][rng.random(p[..., 1:].shape) < 0.3] = -INF
    if draw(st.booleans()):  # a mass of 1e-300
        p[..., 1:2] += -300 * np.log(10)
    return arrays.normalised(p), arrays.normalised(q)


@pytest.mark.parametrize("name", [*POLICIES, *MEASURES])
@settings(max_examples=40)
@given(pairs())
def test_numpy_and_torch_agree_and_inputs_stay(name, pair):
    rule = {**POLICIES, **MEASURES}[name]
    copies = [array.copy() for array in pair]
    tensors = [torch.from_numpy(array.copy()) for array in pair]
    ours, theirs = rule(*pair), rule(*tensors)
    for array, copy, tensor in zip(pair, copies, tensors, strict=True):
        np.testing.assert_array_equal(array, copy)
        np.testing.assert_array_equal(tensor.numpy(), copy)
    assert isinstance(theirs, torch.Tensor)
    assert theirs.dtype == torch.float64
    # Both libraries sum 7 terms of size up to 700 in another order.
    np.testing.assert_allclose(theirs.numpy(), ours, rtol=1e-12, atol=1e-12)
    assert np.shape(ours) == (pair[0].shape if name in POLICIES else pair[0].shape[:-1])


@pytest.mark.parametrize("name", [*POLICIES, *MEASURES])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dtype_is_kept(name, dtype):
    p, q = torch.log(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]], dtype=dtype))
    result = {**POLICIES, **MEASURES}[name](p, q)
    assert result.dtype == dtype
    assert {**POLICIES, **MEASURES}[name](p.numpy(), q.numpy()).dtype == p.numpy().dtype


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=40)
@given(pairs())
def test_policies_are_normalised_inside_the_support(name, pair):
    log_pi = POLICIES[name](*pair)
    np.testing.assert_allclose(np.exp(log_pi).sum(axis=-1), 1.0, atol=1e-12)
    assert np.all(np.isneginf(log_pi[np.isneginf(pair[0])]))


@pytest.mark.parametrize("name", [*POLICIES, *MEASURES])
@settings(max_examples=20)
@given(pairs())
def test_rows_do_not_see_each_other(name, pair):
    rule = {**POLICIES, **MEASURES}[name]
    whole = rule(*pair)
    for row in np.ndindex(pair[0].shape[:-1]):
        # One row or many: the same terms are added, perhaps in another order.
        np.testing.assert_allclose(rule(pair[0][row], pair[1][row]), whole[row], rtol=1e-12, atol=1e-12)


NEITHER_CHECKS = ("normalised", "logsumexp", "expectation")  # inner loops, fed with validated rows


@pytest.mark.parametrize("name", [name for name in [*POLICIES, *MEASURES] if name not in NEITHER_CHECKS])
@pytest.mark.parametrize("library", [np.array, torch.tensor])
@pytest.mark.parametrize(
    ("row", "word"), [([0.0, np.nan], "NaN"), ([-INF, -INF], "-inf everywhere"), ([0.0, INF], r"\+inf")]
)
def test_bad_rows_are_named(name, library, row, word):
    good = library([np.log(0.5), np.log(0.5)])
    with pytest.raises(ValueError, match=word):
        {**POLICIES, **MEASURES}[name](library(row), good)


# Every rule of several arrays, with the name that an error gives to each of them.
ARGUMENTS = {
    "expectation": (arrays.expectation, ()),
    "entropy": (information.entropy, ("log_p",)),
    "renyi": (lambda p: information.renyi_entropy(p, 2.0), ("log_p",)),
    "varentropy": (information.varentropy, ("log_p",)),
    "cross_entropy": (information.cross_entropy, ("log_pi", "log_p")),
    "kl": (information.kl, ("log_pi", "log_p")),
    "gibbs": (guidance.gibbs, ("log_p", "log p + u")),
    "classifier_free_guidance": (POLICIES["classifier_free_guidance"], ("log_p", "log_p_without")),
    "kl_guided_temperature": (POLICIES["kl_guided_temperature"], ("log_pi", "log_p")),
    "greedy": (guidance.greedy, ("log_p",)),
    "objective": (certificates.objective, ("log_pi", "log_p", "")),
    "log_partition": (certificates.log_partition, ("log_p", "log p + u")),
    "gibbs_residual": (certificates.gibbs_residual, ("log_pi", "log_p", "log_p", "log p + u")),
    "duality_gap": (certificates.duality_gap, ("log_pi", "log_p", "log p + u")),
    "stationarity": (certificates.stationarity, ("log_pi", "log_p", "log p + u")),
    "dual": (certificates.dual, ("", "log_p", "log p + u")),
    "best_of": (lambda p, r: best_of(p, r, 2), ("log_p", "reward")),
}
GOOD, BAD = np.log([0.5, 0.5]), np.array([np.nan, 0.0])


@pytest.mark.parametrize(
    ("name", "position"), [(name, i) for name, (_, names) in ARGUMENTS.items() for i in range(len(names)) if names[i]]
)
def test_the_bad_argument_is_named(name, position):
    rule, names = ARGUMENTS[name]
    arguments = [BAD if i == position else GOOD for i in range(len(names))]
    with pytest.raises(ValueError, match=f"^{re.escape(names[position])} contains NaN; check the model"):
        rule(*arguments)


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if len(ARGUMENTS[name][1]) != 1])
def test_arrays_of_two_libraries_are_refused(name):
    rule, names = ARGUMENTS[name]
    count = len(names) or 2
    for position in range(count):
        arguments = [torch.from_numpy(GOOD) if i == position else GOOD for i in range(count)]
        with pytest.raises(TypeError, match="Multiple namespaces"):
            rule(*arguments)
