"""Code fingerprints: what of an edit runs a component again, and what does not."""

import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from pipeline import fingerprint
from pipeline.config import REPOSITORY
from pipeline.fingerprint import code_fingerprint, value_fingerprint

Edit = Callable[[str, str], None]

_TREE = {
    "pipeline/__init__.py": "",
    "pipeline/config/__init__.py": "from pipeline.config.train import EPOCHS, Train\n",
    "pipeline/config/train.py": """import os

from pipeline import unrelated

EPOCHS = 30 * unrelated.LIMIT


class Train:
    epochs: int = EPOCHS

    def _check(self):
        return self.epochs > 0

    def small_epochs(self):
        return self.epochs // 2
""",
    "pipeline/top.py": '''"""Top."""

import os

from pipeline import direct
from pipeline.config import EPOCHS


def answer(x: int) -> int:
    """Doubles."""
    # A comment.
    return direct.twice(x) + EPOCHS
''',
    "pipeline/direct.py": "import pipeline.indirect\n\n\ndef twice(x):\n    return 2 * x\n",
    "pipeline/indirect.py": "LIMIT = 1\n",
    "pipeline/lazy.py": "SPEED = 1\n",
    "pipeline/late.py": "def go():\n    from pipeline.lazy import SPEED\n    return SPEED\n",
    "pipeline/unrelated.py": "LIMIT = 1\n",
    "pipeline/circular_a.py": "import pipeline.circular_b\n",
    "pipeline/circular_b.py": "import pipeline.circular_a\n",
    "os.py": "# stands where a library would; it is not the project's\n",
}


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """A small project; call it with a file and its new text."""
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    fingerprint._parse.cache_clear()
    for name, text in _TREE.items():
        _write(tmp_path, name, text)

    def write(name: str, text: str) -> None:
        _write(tmp_path, name, text)
        # Files written within one tick of the clock would carry equal times.
        fingerprint._parse.cache_clear()

    return write


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this project's own modules."""
    for package in ("pipeline", "components"):
        shutil.copytree(
            REPOSITORY / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    return tmp_path


def test_a_fingerprint_is_16_hex_digits_and_stays_the_same(edit: Edit) -> None:
    digest = code_fingerprint("pipeline.top")
    assert len(digest) == 16
    int(digest, 16)
    assert code_fingerprint("pipeline.top") == digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# A comment.", "# Another, longer comment."),
        ("    # A comment.\n", ""),
        ('"""Doubles."""', '"""Multiplies by two.\n\n    Args:\n      x: a number\n    """'),
        ('    """Doubles."""\n', ""),
        ('"""Top."""\n\n', ""),
        ("return direct.twice(x) + EPOCHS", "return (\n        direct.twice( x )+EPOCHS\n    )"),
    ],
    ids=["comment", "no comment", "docstring", "no docstring", "no module docstring", "format"],
)
def test_what_does_not_run_does_not_count(edit: Edit, old: str, new: str) -> None:
    before = code_fingerprint("pipeline.top")
    source = _TREE["pipeline/top.py"]
    assert old in source
    edit("pipeline/top.py", source.replace(old, new))
    assert code_fingerprint("pipeline.top") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("direct.twice(x)", "direct.twice(x + 1)"), ("x: int", "x: float"), ("answer", "reply")],
)
def test_an_edit_of_the_module_counts(edit: Edit, old: str, new: str) -> None:
    before = code_fingerprint("pipeline.top")
    edit("pipeline/top.py", _TREE["pipeline/top.py"].replace(old, new))
    assert code_fingerprint("pipeline.top") != before


def test_an_edit_of_an_imported_module_counts(edit: Edit) -> None:
    before = code_fingerprint("pipeline.top")
    edit("pipeline/direct.py", _TREE["pipeline/direct.py"].replace("2 * x", "x + x"))
    assert code_fingerprint("pipeline.top") != before


def test_an_edit_of_an_indirectly_imported_module_counts(edit: Edit) -> None:
    before = code_fingerprint("pipeline.top")
    edit("pipeline/indirect.py", "LIMIT = 2\n")
    assert code_fingerprint("pipeline.top") != before


def test_another_version_of_an_imported_library_counts(
    edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("pipeline/direct.py", "import yaml\n\n\ndef twice(x):\n    return 2 * x\n")
    before = {name: code_fingerprint(f"pipeline.{name}") for name in ("top", "unrelated")}
    monkeypatch.setattr(metadata, "version", lambda library: f"another {library}")
    assert code_fingerprint("pipeline.top") != before["top"]
    assert code_fingerprint("pipeline.unrelated") == before["unrelated"]


def test_an_edit_of_a_module_imported_inside_a_function_counts(edit: Edit) -> None:
    before = code_fingerprint("pipeline.late")
    edit("pipeline/lazy.py", "SPEED = 2\n")
    assert code_fingerprint("pipeline.late") != before


@pytest.mark.parametrize("name", ["pipeline/unrelated.py", "pipeline/new.py", "os.py"])
def test_an_edit_elsewhere_does_not_count(edit: Edit, name: str) -> None:
    before = code_fingerprint("pipeline.top")
    edit(name, "LIMIT = 2\n")
    assert code_fingerprint("pipeline.top") == before


def test_declarations_of_settings_do_not_count_for_they_are_passed_by_value(edit: Edit) -> None:
    before = code_fingerprint("pipeline.top")
    source = _TREE["pipeline/config/train.py"]
    for old, new in (
        ("30", "40"),
        ("EPOCHS\n", "EPOCHS\n    new: int = 1\n"),
        ("> 0", "> 1"),
    ):
        assert old in source
        edit("pipeline/config/train.py", source.replace(old, new))
        assert code_fingerprint("pipeline.top") == before


def test_what_settings_make_of_their_values_counts(edit: Edit) -> None:
    before = code_fingerprint("pipeline.top")
    edit("pipeline/config/train.py", _TREE["pipeline/config/train.py"].replace("// 2", "// 3"))
    assert code_fingerprint("pipeline.top") != before


def test_modules_that_import_each_other_have_fingerprints(edit: Edit) -> None:
    before = code_fingerprint("pipeline.circular_a")
    edit("pipeline/circular_b.py", "import pipeline.circular_a\nX = 1\n")
    assert code_fingerprint("pipeline.circular_a") != before


@pytest.mark.parametrize("module", ["pipeline.nothing", "os", "numpy.random", ""])
def test_a_module_that_is_not_the_projects_is_an_error(edit: Edit, module: str) -> None:
    with pytest.raises(ValueError, match="no module"):
        code_fingerprint(module)


_RUN_BY_NAME = {
    "Transform": "pipeline.preprocessing",
    "Trainer": "pipeline.trainer",
    "ImageExampleGen": "components.image_example_gen.executor",
    "DataGate": "components.data_gate",
    "Evaluator": "pipeline.calibration",
}


@pytest.mark.parametrize(
    ("edited", "run_again"),
    [
        ("pipeline/augmentation.py", {"Trainer"}),
        ("pipeline/model.py", {"Trainer"}),
        ("pipeline/calibration.py", {"Evaluator"}),
        ("components/image_example_gen/deduplication.py", {"ImageExampleGen"}),
        ("components/data_gate.py", {"DataGate"}),
        ("components/curated_schema_gen.py", {"DataGate"}),
        ("pipeline/preprocessing.py", {"Transform", "Trainer"}),
        ("pipeline/features.py", {"Transform", "Trainer", "ImageExampleGen", "DataGate"}),
        ("pipeline/config/__init__.py", set()),
        ("pipeline/config/train.py", set()),
        ("pipeline/cli.py", set()),
        ("pipeline/report_page.py", set()),
    ],
)
def test_an_edit_runs_the_components_again_that_depend_on_it(
    project: Path, edited: str, run_again: set[str]
) -> None:
    before = {name: code_fingerprint(module) for name, module in _RUN_BY_NAME.items()}
    path = project / edited
    path.write_text(path.read_text() + "\n_EDITED = 1\n")
    after = {name: code_fingerprint(module) for name, module in _RUN_BY_NAME.items()}
    assert {name for name in before if before[name] != after[name]} == run_again


def test_a_value_has_the_fingerprint_of_what_it_holds_not_of_its_order() -> None:
    assert value_fingerprint({"a": 1, "b": [2, 3]}) == value_fingerprint({"b": [2, 3], "a": 1})
    assert value_fingerprint([2, 3]) != value_fingerprint([3, 2])
