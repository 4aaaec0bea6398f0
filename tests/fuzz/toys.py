"""Sound worlds of `toy`, and what to give where names or tables are asked for, beside hostile arrays and numbers."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from tests.fuzz.calls import OBJECTS, Objects
from theory.adaptors import temperature
from theory.automata import Automaton
from theory.block_laws import Reward
from theory.families import geometric
from theory.language_models import Tree
from theory.layers import Floats, Layers
from toy import dynamic_temperature, evidence, guidance_tradeoffs, normalisations, text_automaton, text_rewards
from toy.corpora import corpus_means
from toy.dirichlet import Triple, dirichlet_triple
from toy.resamplings import Corpora, drawn
from toy.reward_automata import RewardAutomaton, reward_automaton
from toy.reward_trees import RewardTree, random_worlds
from toy.simpson import Selections, selections
from toy.training import Batch, Training
from toy.training import drawn as batch_of

RNG = np.random.default_rng(0)
TRIPLE = dirichlet_triple(RNG, 3, 1.0)
AUTOMATON = geometric(2, 0.1)
BIGRAM, TRIGRAM = text_automaton.bigram_states(), text_automaton.class_trigram_states()
LENGTH, PAIRS = (make(28, 3) for make in (text_rewards.length_reward, text_rewards.pair_reward))
LETTERS = text_automaton.fitted(["ab", "the end"], BIGRAM)
TEXT = text_rewards.world(LETTERS, BIGRAM, 3, PAIRS)
LAYERS = OBJECTS[Layers][0]
WORLD = evidence.mixture(RNG, 2)
COUNTED = corpus_means(TRIPLE, np.array([[1, 2, 0], [3, 0, 0], [0, 1, 2], [1, 1, 1]]))
COUNTED = COUNTED.assign(typical=[True, False, True, False])
FAIR = np.array([0.0, 1.0]), np.log([0.5, 0.5])
POSITIVE = [np.array(0.5), np.array([0.02, 1.0]), np.array([100.0]), np.array([1e300]), np.array([0.5, np.nan])]

WORLDS: Objects = {
    **OBJECTS,
    Layers: [LAYERS, TEXT],
    Triple: [TRIPLE],
    Corpora: [drawn(TRIPLE, 50, 10, 0.1, RNG), drawn(TRIPLE, 50, 10, 1e-9, RNG)],
    RewardTree: [random_worlds(RNG, 2, 2, 2)],
    RewardAutomaton: [reward_automaton(AUTOMATON, np.zeros(AUTOMATON.log_arcs.shape), np.zeros(1))],
    Tree: [*OBJECTS[Tree], WORLD.prior],
    evidence.World: [WORLD],
    Reward: [LENGTH, PAIRS, text_rewards.length_reward(28, 1)],
    Batch: [batch_of(LAYERS, LAYERS.log_p, 3, RNG)],
    Training: [Training(steps=2, batch=3, reports=1, epochs=1)],
    pd.DataFrame: [COUNTED, COUNTED[:1], COUNTED[:0], COUNTED.assign(mean_log_prior=np.nan)],
    Selections: [selections(COUNTED, 0)],
    dynamic_temperature.Measure: [measure for measure, _ in dynamic_temperature.MATCHED.values()],
    Sequence[tuple[float, float]]: [[(0.01, 1.0)], [(1.0, 0.5)], [(np.nan, 1.0)], [(0.0, 1.0)], []],
    guidance_tradeoffs.Rule: [dynamic_temperature.kl_guided, guidance_tradeoffs.tempered],
    Sequence[normalisations.Choice]: [[("temperature", 0.5, temperature(0.5))], []],
    dict[str, Automaton]: [{"a": AUTOMATON}, {}],
    Sequence[float]: [[0.5, 1.0], [np.nan], [-1.0], []],
    tuple[float, ...]: [(0.5, 2.0), (np.nan,), (-1.0,), ()],
    tuple[float, float]: [(0.0, 1.0), (np.nan, 0.0)],
    tuple[Floats, Floats]: [FAIR, (FAIR[0][::-1], FAIR[1]), (FAIR[0][:0], FAIR[1][:0]), (np.array(1.0), np.array(0.0))],
    Iterable[int]: [[3], [1], [0], [-1], [-(2**70)], []],
    Iterable[float]: [[1.0, 0.5], [np.nan], []],
    Sequence[str]: [["ab", "the end"], [""], [], ["A!"]],
    "weighting": ["uniform", "aligned", "typical", "unknown"],
    "family": ["temperature", "top_k", "eta", "unknown"],
    "matched": ["entropy", "kl", "unknown"],
    "exponent": POSITIVE,
    "exponents": POSITIVE[1:],
    "noise": [0.0, 0.4, 1e308, np.nan, -1.0],
    "noises": POSITIVE[1:],
    "log_policy": [LAYERS.log_p, TEXT.log_p, LAYERS.log_p * 2, np.full(LAYERS.log_p.shape, np.nan)],
    "q": [LAYERS.gain, TEXT.gain, LAYERS.gain[0], np.zeros(3)],
    "successor": [BIGRAM, TRIGRAM, BIGRAM + 99, BIGRAM - 1, np.eye(3, dtype=int)],
    "log_steps": [LETTERS, LETTERS[:3], np.zeros((28, 28)), np.full((28, 28), np.nan), np.zeros(3)],
    "tokens": [np.array(one) for one in ([1, 2, 0], [28], [-1], [0.5], [[1]], [], 3)],
    "horizon": [-1, 0, 1, 3],
}
