"""Trees against a plain walk along every string, one token at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from theory.language_models import (
    Tree,
    adapted,
    aligned,
    from_scores,
    log_dirichlet,
    path_products,
    random_tree,
    strings,
)

ADAPTORS = st.one_of(
    st.just(ancestral()),
    st.floats(0.05, 20).map(temperature),
    st.integers(1, 4).map(top_k),
    st.floats(0.01, 1).map(nucleus),
    st.floats(0.01, 1).map(eta),
    st.floats(0.01, 1).map(locally_typical),
    st.floats(0.01, 1).map(min_p),
    st.just(compose(temperature(1.5), top_k(2))),
)
SHAPES = st.sampled_from([(1, 0), (1, 4), (2, 0), (2, 1), (2, 3), (3, 2), (4, 1)])


@st.composite
def trees(draw: st.DrawFn, batch: tuple[int, ...] = ()) -> Tree:
    """Trees of all shapes, some with tied and some with forbidden tokens."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_symbols, depth = draw(SHAPES)
    tree = random_tree(n_symbols, depth, rng, draw(st.sampled_from([0.1, 1.0, 5.0])), batch)
    kind = draw(st.sampled_from(["plain", "ties", "zeros"]))
    if kind == "plain":
        return tree
    steps = tree.log_steps.copy()
    inner = steps[..., : -(n_symbols**depth), :]
    if kind == "ties":
        inner[:] = 0.0
    else:
        inner[rng.random(inner.shape) < 0.3] = -np.inf
        inner[..., -1] = np.where(np.all(inner == -np.inf, axis=-1), 0.0, inner[..., -1])
    return Tree(steps - np.logaddexp.reduce(steps, axis=-1, keepdims=True))


def depth_of(tree: Tree) -> int:
    return len(tree.level_sizes) - 1


def walk(tree: Tree, log_steps: np.ndarray) -> list[float]:
    """Add the steps of every string by looking each of its prefixes up."""
    row = {y: i for i, y in enumerate(strings(tree.n_symbols, depth_of(tree)))}
    return [sum(log_steps[row[y[:t]], token] for t, token in enumerate((*y, tree.n_symbols))) for y in row]


@given(trees())
def test_strings_have_the_product_of_their_steps_and_sum_to_one(tree: Tree) -> None:
    np.testing.assert_allclose(tree.log_prob, walk(tree, tree.log_steps), rtol=1e-13)  # the same few sums
    assert np.exp(tree.log_prob).sum() == pytest.approx(1, abs=1e-12)  # at most 15 rounded products


@given(trees(), ADAPTORS)
def test_adapted_tree_is_the_adaptor_at_every_step(tree: Tree, adaptor: Adaptor) -> None:
    before = tree.log_steps.copy()
    result = adapted(tree, adaptor)
    rows = [local(adaptor, row) for row in tree.log_steps]
    scores = np.array([adaptor(row) for row in tree.log_steps])
    kept = np.array([[log_kept] * (tree.n_symbols + 1) for _, log_kept in rows])
    # 1e-12: sums of at most 5 logarithms below 1e3, rounded
    np.testing.assert_allclose(result.local.log_prob, walk(tree, np.array([q for q, _ in rows])), atol=1e-12)
    np.testing.assert_allclose(result.log_kept, walk(tree, kept), atol=1e-12)
    np.testing.assert_allclose(result.log_scores, walk(tree, scores), atol=1e-12)
    assert np.exp(result.log_global).sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_array_equal(tree.log_steps, before)


@given(trees(), ADAPTORS)
def test_weight_of_a_string_is_the_product_of_normalisers(tree: Tree, adaptor: Adaptor) -> None:
    result = adapted(tree, adaptor)
    support = result.log_scores > -np.inf
    ratio = result.log_global[support] - result.local.log_prob[support]
    # 1e-10: at T = 0.05 the sums reach 1e4, each rounded to 1e-12
    np.testing.assert_allclose(ratio, result.log_kept[support] - result.log_z, atol=1e-10)
    mean_weight = np.exp(result.local.log_prob[support]) @ np.exp(result.log_kept[support])
    assert mean_weight == pytest.approx(np.exp(result.log_z), rel=1e-9)


@given(st.floats(0.2, 5), st.integers(0, 2**32 - 1))
def test_target_of_global_temperature_is_the_tempered_string(T: float, seed: int) -> None:  # noqa: N803
    tree = random_tree(2, 3, np.random.default_rng(seed))
    log_w = tree.log_prob / T
    expected = log_w - np.logaddexp.reduce(log_w)
    np.testing.assert_allclose(adapted(tree, temperature(T)).log_global, expected, atol=1e-11)  # sums below 1e3
    if abs(T - 1) > 0.1:  # the planted bug: a target left at T = 1
        assert np.abs(np.exp(tree.log_prob) - np.exp(expected)).max() > 1e-6


@given(trees(), st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_aligned_tree_has_bayes_conditionals(prior: Tree, beta: float, seed: int) -> None:
    reward = np.random.default_rng(seed).uniform(-3, 3, prior.log_prob.shape)
    tree, log_z = aligned(prior, reward, beta)
    log_w = prior.log_prob + reward / beta
    assert log_z == pytest.approx(np.logaddexp.reduce(log_w), abs=1e-10)  # terms up to 100
    np.testing.assert_allclose(np.exp(tree.log_prob), np.exp(log_w - np.logaddexp.reduce(log_w)), atol=1e-12)
    ys = strings(prior.n_symbols, depth_of(prior))
    mass = dict(zip(ys, np.exp(tree.log_prob), strict=True))
    for row, prefix in zip(np.exp(tree.log_steps), ys, strict=True):
        through = {y: m for y, m in mass.items() if y[: len(prefix)] == prefix}
        if sum(through.values()) < 1e-250:  # a conditional of vanishing masses is not comparable
            continue
        onward = [sum(m for y, m in through.items() if y[len(prefix) :][:1] == (a,)) for a in range(prior.n_symbols)]
        expected = np.array([*onward, mass[prefix]]) / sum(through.values())
        np.testing.assert_allclose(row, expected, atol=1e-9)  # ratios of masses that rounding moves by 1e-13 each


@given(trees())
def test_tree_from_its_own_law_is_the_same_law(tree: Tree) -> None:
    again, log_z = from_scores(tree.log_prob + 2.5, tree.n_symbols)
    assert log_z == pytest.approx(2.5, abs=1e-12)
    np.testing.assert_allclose(again.log_prob, tree.log_prob, atol=1e-10)  # logarithms down to -300 and below


def test_unreachable_prefix_ends_at_once() -> None:
    tree, _ = from_scores(np.array([0.0, 0.0, -np.inf]), 2)
    np.testing.assert_array_equal(tree.log_steps[2], [-np.inf, -np.inf, 0.0])
    np.testing.assert_allclose(np.exp(tree.log_prob), [0.5, 0.5, 0.0])


@given(trees(batch=(3, 2)), ADAPTORS, st.floats(0.5, 2))
@settings(max_examples=50)
def test_batches_are_separate_models(tree: Tree, adaptor: Adaptor, beta: float) -> None:
    result, reward = adapted(tree, adaptor), np.linspace(-1, 1, tree.log_prob.size).reshape(tree.log_prob.shape)
    tilted, log_z = aligned(tree, reward, beta)
    for i in np.ndindex(3, 2):
        one = adapted(Tree(tree.log_steps[i]), adaptor)
        np.testing.assert_array_equal(result.log_scores[i], one.log_scores)
        np.testing.assert_allclose(result.log_global[i], one.log_global, rtol=1e-13)  # order of summation
        one_tilted, one_log_z = aligned(Tree(tree.log_steps[i]), reward[i], beta)
        np.testing.assert_allclose(tilted.log_steps[i], one_tilted.log_steps, rtol=1e-12)
        assert log_z[i] == pytest.approx(one_log_z)


def test_strings_are_ordered_like_their_rows() -> None:
    assert strings(2, 2) == [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)]
    tree = random_tree(2, 2, np.random.default_rng(0))
    assert tree.level_sizes == [1, 2, 4]
    p = np.exp(tree.log_steps)
    assert np.exp(tree.log_prob[strings(2, 2).index((1, 0))]) == pytest.approx(p[0, 1] * p[2, 0] * p[5, 2])


def test_path_products_do_not_need_normalised_rows() -> None:
    counts = np.ones((7, 3))
    np.testing.assert_array_equal(path_products(counts), [1, 2, 2, 3, 3, 3, 3])


def test_unless_told_laws_are_uniform_and_rewards_count_once() -> None:
    rngs = [np.random.default_rng(3) for _ in range(4)]
    np.testing.assert_array_equal(log_dirichlet(4, rngs[0]), log_dirichlet(4, rngs[1], 1.0, ()))
    tree = random_tree(2, 2, rngs[2])
    np.testing.assert_array_equal(tree.log_steps, random_tree(2, 2, rngs[3], 1.0, ()).log_steps)
    reward = np.arange(7.0)
    np.testing.assert_array_equal(aligned(tree, reward)[0].log_steps, aligned(tree, reward, 1.0)[0].log_steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tree(np.log([[0.5, 0.6]])), "log_steps has a row whose probabilities do not sum to 1"),
        (lambda: Tree(np.log([[0.5, 0.5]])), "log_steps allows a symbol at the greatest length, where only EOS may"),
        (lambda: Tree(np.array([[-np.inf, 0.0, -np.inf]])), "log_steps allows a symbol at the greatest length"),
        (lambda: Tree(np.array([[-np.inf, np.nan]])), "log_steps contains NaN"),
        (lambda: Tree(np.log(np.full((4, 3), 1 / 3))), "4 prefixes over 2 symbols are no tree"),
        (lambda: from_scores(np.zeros(4), 2), "4 prefixes over 2 symbols are no tree"),
        (lambda: from_scores(np.full(3, -np.inf), 2), "log_scores has a row that is -inf everywhere"),
        (lambda: random_tree(0, 2, np.random.default_rng(0)), "a tree needs n_symbols >= 1"),
        (lambda: random_tree(2, -1, np.random.default_rng(0)), "a tree needs n_symbols >= 1 and depth >= 0"),
        (lambda: log_dirichlet(3, np.random.default_rng(0), 0.0), "concentration must be"),
        (lambda: log_dirichlet(3, np.random.default_rng(0), np.inf), "concentration must be"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


@pytest.mark.parametrize(
    ("reward", "beta", "message"),
    [
        ([0.0, np.nan, 0.0], 1.0, "reward contains NaN"),
        ([0.0, np.inf, 0.0], 1.0, r"reward contains \+inf"),
        ([-np.inf] * 3, 1.0, "reward has a row"),
        ([0.0] * 3, 0.0, "beta"),
        ([0.0] * 3, -1.0, "beta"),
        ([0.0] * 3, np.nan, "beta"),
        ([0.0] * 3, np.inf, "beta"),
    ],
)
def test_bad_reward_is_named(reward: list[float], beta: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        aligned(random_tree(2, 1, np.random.default_rng(0)), np.array(reward), beta)


def test_a_reward_on_impossible_strings_alone_leaves_nothing() -> None:
    prior, _ = from_scores(np.array([-np.inf, 0.0, 0.0]), 2)
    with pytest.raises(ValueError, match=r"^log p \+ r/beta has a row that is -inf everywhere"):
        aligned(prior, np.array([0.0, -np.inf, -np.inf]))


def test_adaptor_that_leaves_no_token_is_named() -> None:
    without_end = Adaptor("no EOS", lambda log_w: np.where(np.arange(3) == 2, -np.inf, log_w))
    with pytest.raises(ValueError, match=r"^no EOS of some step has a row"):
        adapted(random_tree(2, 1, np.random.default_rng(0)), without_end)


@pytest.mark.parametrize("symbols", [0, -1])
def test_a_tree_without_symbols_is_refused_at_once(symbols: int) -> None:
    """Levels of no prefix never add up to 4: the search for the depth has to end all the same."""
    with pytest.raises(ValueError, match=f"^4 prefixes over {symbols} symbols are no tree"):
        from_scores(np.zeros(4), symbols)
    with pytest.raises(ValueError, match=r"^4 prefixes over 0 symbols are no tree"):
        path_products(np.zeros((4, 1)))


def test_too_few_axes_are_named() -> None:
    for make, name in ((Tree, "log_steps"), (path_products, "log_steps")):
        with pytest.raises(ValueError, match=f"^{name} needs 2 or more axes"):
            make(np.zeros(1))
    with pytest.raises(ValueError, match=r"^log_scores needs 1 or more axes"):
        from_scores(np.array(0.0), 2)
