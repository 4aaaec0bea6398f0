"""A study that does not fit is refused in one sentence, before anything is read or drawn."""

import json

import pytest

from empirical import doctor, memory
from empirical.errors import InputError
from empirical.memory import CONTROLLED, LIBRARIES, needed, refuse_control_without_memory, refuse_without_memory
from empirical.planning.shapes import NAMED
from empirical.presets import PRESETS, TORCH, Backend
from paper_repro import execute

DEFAULT = needed(PRESETS["default"], TORCH, NAMED["smollm2-135m"])


def free(monkeypatch, amount):
    monkeypatch.setattr(memory, "free_memory", lambda: amount)


def test_refused_200_mb_below_the_need_and_no_earlier(monkeypatch):
    free(monkeypatch, DEFAULT - 200e6)
    said = r"^The study of smollm2-135m needs .* of memory and .* is free; .*, or choose a smaller prior or"
    with pytest.raises(InputError, match=said):
        refuse_without_memory(PRESETS["default"], TORCH)
    free(monkeypatch, DEFAULT)
    refuse_without_memory(PRESETS["default"], TORCH)


def test_the_doctor_asks_for_no_less():
    """It asks for all studies; the trade-off study alone needs less than 1.1 GB less."""
    assert DEFAULT <= CONTROLLED <= doctor.MEMORY < DEFAULT + 1.1e9


@pytest.mark.parametrize(
    ("preset", "more"),
    [
        ("smoke", {}),
        ("default", {"device": "cuda"}),
        ("default", {"backend": Backend("vllm")}),
        ("default", {"prior": "no/such-model"}),
        ("default", {"triple": "unheard-of"}),
    ],
)
def test_nothing_is_said_where_nothing_is_known(monkeypatch, preset, more):
    free(monkeypatch, 0.0)
    refuse_without_memory(PRESETS[preset], **{"backend": TORCH} | more)


def test_what_it_depends_on(monkeypatch, tmp_path):
    shape, size = NAMED["smollm2-135m"], PRESETS["default"]
    assert needed(size, Backend(strict=True), shape) - LIBRARIES > 1.8 * (DEFAULT - LIBRARIES), "float64; near to twice"
    free(monkeypatch, 60e9)
    for triple in ("rlhf", "dpo"):  # two models of 7B in float32, 27 GB each, and their copies
        with pytest.raises(InputError, match="-7b needs"):
            refuse_without_memory(size, TORCH, "cpu", triple)
    config = {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32}
    config |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=f"The study of {tmp_path} needs"):
        refuse_without_memory(size, TORCH, prior=str(tmp_path))


def test_what_the_page_cache_holds_is_free(monkeypatch, tmp_path):
    """In a container, files that were read count as used until somebody asks for the memory."""
    for name, text in (
        ("max", "4000000000"),
        ("current", "3500000000"),
        ("stat", "anon 1\nactive_file 1000000000\ninactive_file 2000000000\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    paths = doctor.Path
    monkeypatch.setattr(doctor, "Path", lambda first, *more: paths(tmp_path if "cgroup" in first else first, *more))
    monkeypatch.setattr(doctor.os, "sysconf", lambda name: 1 << 30)
    assert doctor.free_memory() <= 3.5e9
    (tmp_path / "memory.stat").write_text("active_file 0\ninactive_file 0\n")
    assert doctor.free_memory() == 0.5e9


@pytest.mark.parametrize("amount", [3.0e9, 3.9e9])
def test_control_is_refused_where_the_trade_off_would_fit(monkeypatch, tmp_path, amount):
    """It holds more at once; refused before a folder is made or a model read, on whatever device the other study is."""
    free(monkeypatch, amount)
    refuse_without_memory(PRESETS["default"], TORCH)
    for device in ("cpu", "cuda"):
        with pytest.raises(
            InputError, match=r"^The study of controlled decoding needs 4 GB of memory and 3.* is free; .*\.$"
        ):
            execute(["tan.prop1", "cd.exp1.blocks"], "default", tmp_path / "out", 0, device)
    assert not (tmp_path / "out").exists()


def test_control_runs_where_it_fits_and_at_the_size_of_a_test(monkeypatch):
    free(monkeypatch, CONTROLLED)
    refuse_control_without_memory(PRESETS["default"])
    free(monkeypatch, 0.0)
    refuse_control_without_memory(PRESETS["smoke"])
    for preset in ("default", "paper"):
        with pytest.raises(InputError, match="controlled decoding"):
            refuse_control_without_memory(PRESETS[preset])
