"""The ingest report: what became of every file, for programs and for people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, Field
from rich.table import Table
from rich.text import Text

from components.image_example_gen.rejections import Rejection
from pipeline.errors import UserError
from pipeline.features import UNLABELLED_SPLIT

REPORT_FILE = "ingest_report.json"
MAX_NAMES = 10_000


class SourceInfo(BaseModel):
    """What was read.

    Attributes:
      kind: `zip`, `folder` or `csv`.
      name: File or folder name.
      bytes: Size of the file, or of all files of the folder.
      fingerprint: Fingerprint that the cache goes by.
      span: Span of the data; 0 if they do not come in spans.
      version: Version within the span, if there are versions.
    """

    kind: str
    name: str
    bytes: int
    fingerprint: str
    span: int = 0
    version: int | None = None


class CopyFile(BaseModel):
    """One of several images of equal pixels."""

    name: str
    split: str
    label: str | None


class CopyGroup(BaseModel):
    """Images of equal pixels."""

    content_hash: str
    files: list[CopyFile]


class Copies(BaseModel):
    """Groups of equal images by what is the matter with them; a group can be in several lists."""

    train_copies: list[CopyGroup] = []
    train_conflicts: list[CopyGroup] = []
    train_in_eval: list[CopyGroup] = []
    eval_copies: list[CopyGroup] = []
    eval_conflicts: list[CopyGroup] = []


class RejectedFiles(BaseModel):
    """The files rejected for one reason; `truncated` tells that `names` lists only the first."""

    count: int
    names: list[str]
    truncated: bool = False


class SplitCounts(BaseModel):
    """Accepted images of a split, by class; unlabelled images have no classes."""

    accepted: int
    classes: dict[str, int] = {}


class ReportPart(BaseModel):
    """What one shard of the work saw; parts add up in any order."""

    accepted: list[tuple[str, str | None, int]] = []
    rejected: dict[Rejection, list[str]] = {}
    copies: Copies = Field(default_factory=Copies)


class IngestReport(BaseModel):
    """What became of every file of a source; `read == accepted + rejected`.

    No `StoredReport`, which has a method where this has the field `read`.

    Attributes:
      read: Files of the source, or rows of the CSV.
      accepted: Examples written.
      rejected: Files that did not become examples.
      source: What was read.
      split_by: `folders`, `usage` (the CSV's column), `content_hash` or `none`.
      splits: Accepted images by split and class.
      rejections: Rejected files by reason.
      copies: Groups of images of equal pixels, as they were before any was dropped.
    """

    read: int
    accepted: int
    rejected: int
    source: SourceInfo
    split_by: str
    splits: dict[str, SplitCounts]
    rejections: dict[Rejection, RejectedFiles]
    copies: Copies


def build_report(
    read: int, source: SourceInfo, split_by: str, splits: Sequence[str], parts: Iterable[ReportPart]
) -> IngestReport:
    """Adds the parts up, in an order that does not depend on theirs.

    Raises:
      RuntimeError: A file was lost or counted twice, which no input may cause.
    """
    counts: dict[str, Counter[str]] = {split: Counter() for split in splits}
    names: dict[Rejection, list[str]] = {}
    groups: dict[str, list[CopyGroup]] = {kind: [] for kind in Copies.model_fields}
    for part in parts:
        for split, label, count in part.accepted:
            counts[split][label or ""] += count
        for reason, rejected in part.rejected.items():
            names.setdefault(reason, []).extend(rejected)
        for kind, found in groups.items():
            found.extend(getattr(part.copies, kind))
    accepted = sum(counter.total() for counter in counts.values())
    rejected_total = sum(map(len, names.values()))
    if read != accepted + rejected_total:
        raise RuntimeError(f"{read} files read, {accepted} accepted, {rejected_total} rejected")
    return IngestReport(
        read=read,
        accepted=accepted,
        rejected=rejected_total,
        source=source,
        split_by=split_by,
        splits={
            split: SplitCounts(
                accepted=counter.total(), classes={k: v for k, v in sorted(counter.items()) if k}
            )
            for split, counter in counts.items()
        },
        rejections={
            reason: RejectedFiles(
                count=len(names[reason]),
                names=sorted(names[reason])[:MAX_NAMES],
                truncated=len(names[reason]) > MAX_NAMES,
            )
            for reason in Rejection
            if reason in names
        },
        copies=Copies(
            **{kind: sorted(found, key=lambda g: g.content_hash) for kind, found in groups.items()}
        ),
    )


def check_report(report: IngestReport) -> None:
    """Refuses a source that no classifier can be trained and measured on.

    Raises:
      UserError: A split is empty or has fewer than two classes; the sentence counts the reasons.
    """
    reasons = ", ".join(f"{reason} {files.count:,}" for reason, files in report.rejections.items())
    told = (
        f"The data {report.source.name} can't be used: of {report.read:,} files read, "
        f"{report.accepted:,} were accepted" + (f" (rejected: {reasons})" if reasons else "")
    )
    for split, counts in report.splits.items():
        if not counts.accepted:
            advice = (
                "give JPEG, PNG, BMP or WebP images"
                if split == UNLABELLED_SPLIT
                else "images belong in class folders, below train and test folders if the data are "
                "split"
            )
            raise UserError(f"{told}, and none is left for the {split} split; {advice}.")
        if counts.classes and len(counts.classes) < 2:
            raise UserError(
                f"{told}, and the {split} split has only the class {next(iter(counts.classes))!r}; "
                "a classifier needs two or more class folders."
            )


def write_report(report: IngestReport, folder: Path) -> Path:
    """Writes `ingest_report.json` whole or not at all, and returns its path."""
    path = folder / REPORT_FILE
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def read_report(folder: Path) -> IngestReport:
    """Reads the report of an IngestReport artifact from its URI."""
    return IngestReport.model_validate_json((folder / REPORT_FILE).read_text(encoding="utf-8"))


def totals(report: IngestReport) -> str:
    """One line: the source, and what became of its files."""
    return (
        f"{printable(report.source.name)}: {report.read:,} read, {report.accepted:,} accepted, "
        f"{report.rejected:,} rejected"
    )


def render(report: IngestReport, examples: int = 3) -> list[Table]:
    """The report as tables for the screen: classes by split, then rejections by reason.

    Args:
      report: The report.
      examples: File names shown for each reason.
    """
    classes = Table(title="Accepted files", title_justify="left")
    classes.add_column("Class")
    for split in report.splits:
        classes.add_column(split, justify="right")
    for label in sorted({label for s in report.splits.values() for label in s.classes}):
        cells = [f"{s.classes.get(label, 0):,}" for s in report.splits.values()]
        classes.add_row(Text(printable(label)), *cells)
    classes.add_section()
    classes.add_row("all", *(f"{s.accepted:,}" for s in report.splits.values()))
    tables = [classes]
    if report.rejections:
        rejections = Table(title="Rejected files", title_justify="left")
        rejections.add_column("Reason")
        rejections.add_column("Files", justify="right")
        rejections.add_column("Meaning")
        rejections.add_column("Such as", overflow="fold")
        for reason, files in report.rejections.items():
            shown = "\n".join(printable(name) for name in files.names[:examples])
            rejections.add_row(reason.value, f"{files.count:,}", reason.meaning, Text(shown))
        tables.append(rejections)
    if report.copies.eval_copies:
        held = Table(title="Kept in eval, for eval is never thinned", title_justify="left")
        held.add_column("Finding")
        held.add_column("Images", justify="right")
        held.add_row(
            "images that stand there more than once", f"{len(report.copies.eval_copies):,}"
        )
        held.add_row("of these under several classes", f"{len(report.copies.eval_conflicts):,}")
        tables.append(held)
    return tables


def printable(name: str) -> str:
    """A name without anything that a terminal would act on."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
