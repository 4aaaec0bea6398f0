"""One thread a process, one hypothesis profile, and a tiny real triple for every test that needs a model."""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # before NumPy is imported: two threads a process collapse when tests share two cores
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test never waits for a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from empirical.presets import Settings
from empirical.schemes import study_schemes
from empirical.studies.tradeoff import Triple
from empirical.tiny import tiny_triple

torch.set_num_threads(1)
# No deadline: the machine may be busy. Derandomised: a red test stays red until someone mends it.
settings.register_profile("house", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("house")


@pytest.fixture(scope="session")
def triple(tmp_path_factory: pytest.TempPathFactory) -> Triple:
    """A tiny random Llama, the same with a random adapter, and a random preference head."""
    return Triple("tiny", *tiny_triple(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a tiny prior and a tiny adapter."""
    folder = tmp_path_factory.mktemp("checkpoint")
    tiny_triple(folder)
    return folder


@pytest.fixture(scope="session")
def small() -> Settings:
    """A study small enough to run in a test."""
    return Settings(samples=2, max_new=6, corpora=100, resamples=50)


@pytest.fixture(scope="session")
def few_schemes() -> list:
    """Nine of the study's schemes: every family at T = 1, and two at other temperatures."""
    return [scheme for scheme in study_schemes() if scheme.temperature == 1 or "top_k(30)" in scheme.name][:9]
