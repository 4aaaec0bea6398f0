import pytest

from theory.ledger import REGISTRY, verify
from toy.claims import anti_attribution, dynamic_temperature, evidence, guidances

FILES = (evidence, guidances, dynamic_temperature, anti_attribution)
CLAIMS = [
    "anchor",
    "temperature",
    "tradeoff",
    "greedy",
    "attribution-discriminative",
    "attribution-generative",
    "bridge",
    "which-guidance",
    "negative-scale",
    "relevance",
    "preservation",
    "dynamic-attribution",
    "dynamic-sensibleness",
    "dynamic-mitigation",
    "discriminative-weight",
    "anti-attribution",
    "attribution-literal",
]


@pytest.mark.parametrize("name", CLAIMS)
def test_claim_earns_its_verdict_in_fewer_worlds(name, monkeypatch):
    for file in FILES:
        for size, few in {"WORLDS": 150, "MATCHES": 60, "FEW": 60, "PAIRS": 200}.items():
            if hasattr(file, size):
                monkeypatch.setattr(file, size, few)
    assert verify(REGISTRY[f"chang.toy.{name}"], seed=1).faults() == []


def test_every_claim_of_these_worlds_is_tested():
    names = [item.id for file in FILES for item in vars(file).values() if getattr(item, "id", "").startswith("chang.")]
    assert sorted(names) == sorted(f"chang.toy.{name}" for name in CLAIMS)
