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
    assert precision.relative_error() <= precision.FLOAT32_ERROR


def test_a_bfloat16_kernel_is_refused(monkeypatch):
    monkeypatch.setattr(precision, "relative_error", lambda: 4e-3)  # what bfloat16 inputs give
    assert precision.use_fast_float32() == "highest"
