"""The fused kernel of tokenwise control against `theory.guidance` and `theory.adaptors`; lambda 0 changes no bit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.engines import drawing, kernel
from empirical.engines.drawing import draw, draw_controlled
from empirical.schemes import study_schemes
from theory.adaptors import ancestral, compose, eta, local, locally_typical, min_p, nucleus, temperature, top_k
from theory.guidance import controlled
from theory.information import kl

# The last is not in the kernel's order and goes through theory.
ADAPTORS = [
    ancestral(), top_k(3), nucleus(0.8), locally_typical(0.7), eta(0.05), min_p(0.2), temperature(1.7),
    compose(temperature(0.6), nucleus(0.9)), compose(top_k(3), temperature(2.0)),
]  # fmt: skip
V = 12
lines = st.lists(st.integers(-16, 16), min_size=V, max_size=V).map(lambda line: np.array(line) / 4)
lams = st.sampled_from([-2.0, -0.5, 0.0, 0.3, 1.0, 4.0])
row = st.tuples(lines, lines, lams, st.sampled_from(ADAPTORS), st.floats(0, 1, exclude_max=True))


@given(st.lists(row, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_every_row_as_theory_has_it(rows, forbid, worthless):
    """Rows of different lambda and adaptor share a batch; a token may be forbidden by the model or by its value."""
    logits, values = (torch.tensor(np.array([one[i] for one in rows])) for i in (0, 1))
    if forbid:
        logits[:, 3], values[:, 3] = -np.inf, np.nan  # whatever a token is worth that the model forbids
    if worthless and all(one[2] >= 0 for one in rows):
        values[:, 5] = -np.inf
    strengths, adaptors, uniforms = (
        [one[2] for one in rows],
        [one[3] for one in rows],
        np.array([one[4] for one in rows]),
    )
    drawn = draw_controlled(logits, values, strengths, adaptors, uniforms)
    for place, (lam, adaptor) in enumerate(zip(strengths, adaptors, strict=True)):
        log_p = logits[place].log_softmax(-1)
        log_pi = controlled(log_p, torch.nan_to_num(values[place], neginf=-np.inf), lam)
        log_q, log_kept = local(adaptor, log_pi)
        token = drawn.tokens[place]
        # float64 sums of a dozen terms of size 20
        assert drawn.log_proposal[place] == pytest.approx(log_q[token].item(), abs=1e-12)
        assert drawn.log_kept[place] == pytest.approx(log_kept.item(), abs=1e-12)
        assert drawn.log_model[place] == pytest.approx(log_p[token].item(), abs=1e-12)
        assert drawn.kl[place] == pytest.approx(kl(log_q, log_p).item(), abs=1e-12)
        cumulative = log_q.exp().cumsum(0)
        below, upto = (cumulative[token - 1] if token else 0.0), cumulative[token]
        assert below - 1e-12 <= uniforms[place] * cumulative[-1] <= upto + 1e-12, "the token at u of the CDF"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lambda_zero_draws_the_bits_of_no_control(dtype):
    """Whatever the values, also in the rows that go through theory; a full vocabulary, so that sums are vectorised."""
    adaptors = [*(scheme.adaptor for scheme in study_schemes()), *ADAPTORS]
    logits = 3 * torch.randn(len(adaptors), 49_152, generator=torch.Generator().manual_seed(0)).to(dtype)
    uniforms = np.random.default_rng(0).random(len(adaptors))
    plain = draw(logits, adaptors, uniforms)
    under = draw_controlled(logits, torch.full_like(logits, np.nan), [0.0] * len(adaptors), adaptors, uniforms)
    for name, figures in vars(plain).items():
        assert np.array_equal(figures, getattr(under, name)), name
    assert under.kl[0] == pytest.approx(0, abs=1e-12)  # ancestral


def test_the_kernel_and_theory_agree_on_a_whole_vocabulary(monkeypatch):
    schemes = study_schemes()
    generator = torch.Generator().manual_seed(0)
    logits, values = 3 * torch.randn(2, len(schemes), 49_152, generator=generator)
    lams = np.linspace(-1, 1, len(schemes)).tolist()
    arguments = (logits, values, lams, [scheme.adaptor for scheme in schemes], np.full(len(schemes), 0.5))
    fused = draw_controlled(*arguments)
    monkeypatch.setattr(kernel, "recipe", lambda adaptor: None)
    by_theory = drawing.draw_controlled(*arguments)
    assert np.array_equal(fused.tokens, by_theory.tokens)
    for name in ("log_proposal", "log_kept", "log_model", "kl"):
        # float64 sums of 49,152 terms
        np.testing.assert_allclose(getattr(fused, name), getattr(by_theory, name), atol=1e-11)


def test_a_kl_of_the_wrong_direction_would_be_noticed():
    logits, values = torch.randn(2, 1, V, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_p = logits.log_softmax(-1)
    log_pi = controlled(log_p, values, 1.0)
    [found] = draw_controlled(logits, values, [1.0], [ancestral()], np.array([0.5])).kl
    assert found == pytest.approx(kl(log_pi, log_p).item(), abs=1e-12)
    assert abs(found - kl(log_p, log_pi).item()) > 1e-3


@pytest.mark.parametrize("adaptor", [ancestral(), ADAPTORS[-1]])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(bad, adaptor):
    values = torch.zeros(1, V)
    values[0, 2] = bad
    with pytest.raises(ValueError, match=r"NaN|inf"):
        draw_controlled(torch.zeros(1, V), values, [1.0], [adaptor], np.array([0.5]))
