"""Float32 must stay float32."""

import pytest
import torch

from empirical import precision


@pytest.fixture(autouse=True)
def restore():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def test_the_chosen_setting_is_accurate():
    assert precision.use_fast_float32() in ("medium", "highest")
    assert max(map(precision.relative_error, precision.kinds())) <= precision.FLOAT32_ERROR


# What bfloat16 inputs give, and what TF32 gives on a graphics card beside a processor that is accurate.
@pytest.mark.parametrize("errors", [{"cpu": 4e-3}, {"cpu": 5e-7, "cuda": 3e-4}])
def test_a_lower_precision_in_disguise_is_refused_wherever_it_is(monkeypatch, errors):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in errors)
    monkeypatch.setattr(precision, "relative_error", lambda kind: errors[kind])
    assert precision.use_fast_float32() == "highest"
