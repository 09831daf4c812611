"""Whole files can be parsed where only numpy is installed, as on the executors of Spark."""

from __future__ import annotations

import subprocess

from timba.isolated_python import isolated_python


def test_numpy_is_the_only_package_that_parsing_files_imports() -> None:
    statements = (
        "import timba.temperatures.file_parsing; "
        "names = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names; "
        "print(*sorted(name for name in names if not name.startswith('_')))"
    )
    command = isolated_python(statements)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["numpy", "timba"]
