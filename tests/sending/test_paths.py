"""Which files `timba upload` finds."""

from __future__ import annotations

from pathlib import Path

from timba.sending.paths import find_files


def test_files_of_folders_are_found_by_name_and_named_files_in_any_case(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "b/a/3.jpg", "b/.git/x.jpg", "b/~$t.xlsx", ".odd.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "b/again").symlink_to(tmp_path / "b")
    found = list(find_files([tmp_path / ".odd.part", tmp_path / "b"]))
    expected = [".odd.part", "b/1.jpg", "b/2.jpg", "b/a/3.jpg"]
    assert [str(path.relative_to(tmp_path)) for path in found] == expected
