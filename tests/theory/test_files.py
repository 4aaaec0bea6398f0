"""Whole or absent: a write that fails leaves the old file and nothing else."""

import pytest

from theory.files import replacing, write_text


def test_a_failed_write_keeps_the_old_text(tmp_path):
    target = tmp_path / "new" / "file.txt"
    write_text(target, "old")

    def fail_half_way():
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_the_new_text_takes_the_name(tmp_path):
    target = tmp_path / "file.txt"
    write_text(target, "a")
    write_text(target, "ü")
    assert target.read_text(encoding="utf-8") == "ü"
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_no_folder_there(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_text(tmp_path / "file" / "below", "text")
