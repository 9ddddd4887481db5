"""The lock files and what the project says it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))


def test_the_lock_holds_what_the_project_needs_with_hashes_and_names_no_registry() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    runtime, everything = pins("requirements.txt"), pins("requirements-dev.txt")
    assert runtime.items() <= everything.items()
    wanted = project["project"]["dependencies"] + extras["build"]
    for needs, held in ((wanted, runtime), (wanted + extras["dev"], everything)):
        for need in needs:
            name = re.split(r"[^A-Za-z0-9._-]", need)[0].lower()
            assert name in held
            exact = re.search(r"==([\d.]+)", need)
            assert exact is None or held[name] == exact[1]
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert "--index" not in text
        for block in re.split(r"\n(?=[a-z])", text.strip()):
            assert "--hash=sha256:" in block, block.partition("\n")[0]
