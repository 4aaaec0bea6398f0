"""An index of shards names files that lie beside it, on every system, or is refused."""

import json

import pytest

from empirical.checkpoints import shards


def index(folder, *names):
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {f"layer.{number}": name for number, name in enumerate(names)}}))
    return path


def test_each_file_once_beside_the_index(tmp_path):
    path = index(tmp_path, "b.safetensors", "a.safetensors", "b.safetensors")
    assert shards(path) == [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]


@pytest.mark.parametrize("name", ["../a.safetensors", "/a.safetensors", "sub/a.safetensors", "..\\a.safetensors"])
def test_a_file_elsewhere_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="which is no file of it"):
        shards(index(tmp_path, "b.safetensors", name))
