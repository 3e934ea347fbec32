"""The ingest report."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from components.image_example_gen import report as reports
from components.image_example_gen.rejections import Rejection
from components.image_example_gen.report import IngestReport, ReportPart, SourceInfo
from pipeline.errors import UserError

SOURCE = SourceInfo(kind="zip", name="archive.zip", bytes=1, fingerprint="f")

PARTS = st.lists(
    st.builds(
        ReportPart,
        accepted=st.lists(
            st.tuples(
                st.sampled_from(["train", "eval"]),
                st.sampled_from(["happy", "sad"]),
                st.integers(0, 9),
            ),
            max_size=4,
        ),
        rejected=st.dictionaries(
            st.sampled_from(Rejection), st.lists(st.text("ab"), max_size=3), max_size=3
        ),
    ),
    max_size=5,
)


def build(parts: list[ReportPart], read: int | None = None) -> IngestReport:
    if read is None:
        read = sum(
            sum(count for *_, count in part.accepted) + sum(map(len, part.rejected.values()))
            for part in parts
        )
    return reports.build_report(read, SOURCE, "folders", ["train", "eval"], parts)


def part(train: dict[str, int], held_out: dict[str, int], **rejected: list[str]) -> ReportPart:
    accepted: list[tuple[str, str | None, int]] = [("train", *item) for item in train.items()]
    accepted += [("eval", *item) for item in held_out.items()]
    return ReportPart(
        accepted=accepted, rejected={Rejection(why): names for why, names in rejected.items()}
    )


@given(PARTS)
def test_totals_add_up_in_any_order_of_the_parts(parts: list[ReportPart]) -> None:
    report = build(parts)
    assert report.read == report.accepted + report.rejected
    assert report.accepted == sum(split.accepted for split in report.splits.values())
    assert report.accepted == sum(sum(s.classes.values()) for s in report.splits.values())
    assert report.rejected == sum(files.count for files in report.rejections.values())
    assert build(parts[::-1]) == report


def test_a_lost_file_is_an_error_of_ours() -> None:
    with pytest.raises(RuntimeError, match="3 files read, 2 accepted"):
        build([part({"happy": 2}, {})], read=3)


def test_many_names_are_cut_and_the_cut_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_NAMES", 2)
    report = build([part({}, {}, truncated=["c", "a", "b"], too_small=["d"])])
    cut = report.rejections[Rejection.TRUNCATED]
    assert (cut.count, cut.names, cut.truncated) == (3, ["a", "b"], True)
    assert not report.rejections[Rejection.TOO_SMALL].truncated


def test_the_file_has_its_totals_on_top_and_reads_back(tmp_path: Path) -> None:
    report = build([part({"happy": 2}, {"sad": 1}, truncated=["a"])])
    path = reports.write_report(report, tmp_path)
    assert path == tmp_path / "ingest_report.json"
    assert json.loads(path.read_text()).items() >= {"read": 4, "accepted": 3, "rejected": 1}.items()
    assert reports.read_report(tmp_path) == report
    assert list(tmp_path.iterdir()) == [path]


def test_data_that_cannot_be_trained_on_are_refused_with_the_reasons() -> None:
    both = {"happy": 1, "sad": 1}
    reports.check_report(build([part(both, both)]))
    with pytest.raises(UserError, match=r"4 files read, 2 were .*too_small 2.*the eval split"):
        reports.check_report(build([part(both, {}, too_small=["a", "b"])]))
    with pytest.raises(UserError, match="train split has only the class 'happy'"):
        reports.check_report(build([part({"happy": 9}, both)]))


def test_tables_show_every_count_and_nothing_a_terminal_would_act_on() -> None:
    report = build([part({"[red]": 1234}, {"sad": 5}, truncated=["evil\x1b]0;.jpg", "[/b].jpg"])])
    console = Console(file=io.StringIO(), width=200)
    console.print(reports.totals(report), markup=False)
    for table in reports.render(report):
        console.print(table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for text in ("1,241 read", "1,239 accepted", "1,234", "truncated", "[red]", "[/b].jpg"):
        assert text in shown
    assert "\x1b" not in shown
    assert "evil\\x1b]0;.jpg" in shown
