"""What runs leave for later ones, and the task that finds it."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration.kubeflow import history, resolver


def _folder(path: Path, text: str) -> Path:
    (path / "Split-train").mkdir(parents=True)
    (path / "Split-train" / "FeatureStats.pb").write_text(text)
    return path


def _resolve(tmp_path: Path, kept: Path) -> dict[str, Any]:
    output, uri = tmp_path / "output.json", tmp_path / "statistics"
    invocation = {
        "outputs": {
            "artifacts": {"statistics": {"artifacts": [{"name": "statistics", "uri": str(uri)}]}},
            "outputFile": str(output),
        }
    }
    arguments = ["--json_serialized_invocation_args", json.dumps(invocation)]
    assert resolver.main([*arguments, "--history", str(kept)]) == 0
    (artifact,) = json.loads(output.read_text())["artifacts"]["statistics"]["artifacts"]
    found: dict[str, Any] = artifact
    return found


def test_the_newest_is_found(tmp_path: Path) -> None:
    kept = tmp_path / "history"
    for text in ("first", "second"):
        history.keep(kept, _folder(tmp_path / text, text), {"span": len(text)})
    found = _resolve(tmp_path, kept)
    assert found["metadata"] == {"span": 6, "found": 1}
    assert (tmp_path / "statistics/Split-train/FeatureStats.pb").read_text() == "second"


def test_a_first_run_finds_nothing_and_says_so(tmp_path: Path) -> None:
    found = _resolve(tmp_path, tmp_path / "history")
    assert found["metadata"] == {"found": 0}
    assert found["name"] == "statistics"


def test_a_copy_that_was_broken_off_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "history"
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(OSError, match="killed"):
        history.keep(kept, _folder(tmp_path / "one", "one"), {})
    assert history.newest(kept) is None


def test_old_ones_are_removed_but_for_one_that_may_still_be_read(tmp_path: Path) -> None:
    kept = tmp_path / "history"
    for text in ("a", "b", "c"):
        history.keep(kept, _folder(tmp_path / text, text), {})
    assert len(list(kept.iterdir())) == 2
