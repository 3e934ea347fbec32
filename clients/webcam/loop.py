"""The program: threads that read, find, ask; and the main one, which shows.

Frames go from slot to slot, each with room for one, so that a slow stage is skipped rather than
waited for: the picture runs on while a server takes its time. Without a window, images and video
files are gone through without a loss instead, each stage waiting for the next.
"""

import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic

from clients.webcam.analysis import Analyst
from clients.webcam.backends import Backend, Prediction
from clients.webcam.capture import Reader
from clients.webcam.detection import make_detector
from clients.webcam.drawing import HELP, Painter, status_lines
from clients.webcam.frames import LAST, Frame, Shot
from clients.webcam.geometry import Image
from clients.webcam.inference import Asker
from clients.webcam.journal import STANDARD_OUTPUT, Journal
from clients.webcam.options import Options
from clients.webcam.recording import Recorder, check_writable, save_image
from clients.webcam.slot import Slot
from clients.webcam.status import Status
from clients.webcam.summary import Summary
from clients.webcam.text import Writer
from clients.webcam.tracking import Tracker
from clients.webcam.window import Window
from pipeline.errors import UserError

_REDRAW_SECONDS = 0.03
# For the threads to end in: a server that does not answer must not keep who wants to go.
_PARTING_SECONDS = 2.0


class Program:
    """One run, from the command line to the summary.

    Attributes:
      interrupted: Whether somebody told it to end.
    """

    def __init__(self, options: Options, backend: Backend) -> None:
        """Opens everything, so that what is wrong is told before a window appears.

        Args:
          options: The command line.
          backend: The model.

        Raises:
          UserError: a source, file, font or display is missing.
        """
        self.options = options
        self.names = _read_names(options.names)
        self.writer = Writer(options.font)
        self.drawn_names = _writable(self.names, self.writer)
        self.painter = Painter(self.writer, self.drawn_names)
        self.status = Status(backend.name)
        self.summary = Summary()
        self.journal = Journal(options.jsonl) if options.jsonl else None
        if options.chart:
            if options.chart.suffix.lower() != ".png":
                raise UserError(f"--chart {options.chart}: the name must end in .png.")
            check_writable(options.chart, "--chart")
        if not options.output.is_dir():
            raise UserError(f"--output {options.output}: there is no such folder.")
        self.recorder = Recorder(options.record) if options.record else None
        self.window = None if options.headless else Window()
        self.stop = threading.Event()
        self.frames: Slot[Frame] = Slot()
        self.asked: Slot[Shot] = Slot()
        self.shown: Slot[Shot] = Slot()
        self.tracker = Tracker(options.smoothing)
        self.reader = Reader(
            options.sources, self.frames, self.status, self.stop, paced=not options.headless
        )
        lossless = options.headless and not self.reader.live
        analyst = Analyst(
            self.frames,
            self.shown,
            self.asked,
            make_detector(options.detector, options.detector_model),
            self.tracker,
            self.stop,
            self.summary.searched,
            lossless=lossless,
            max_faces=options.max_faces,
        )
        asker = Asker(
            self.asked,
            self.shown,
            backend,
            self.tracker,
            self.status,
            self.stop,
            self._answered,
            margin=options.margin,
            lossless=lossless,
            give_up=options.give_up,
        )
        self.interrupted = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for name, work in (
                ("reader", self.reader.run),
                ("analyst", analyst.run),
                ("asker", partial(self._ask, asker)),
            )
        ]
        self.mirrored = options.mirror
        self._help = False
        self._told = ""
        self._shot: Shot | None = None

    def run(self) -> None:
        """Runs until the sources end, the window is closed, or the time is over.

        Raises:
          UserError: the model or a file failed for good.
        """
        seconds = self.options.seconds
        end = float("inf") if seconds is None else monotonic() + seconds
        for thread in self._threads:
            thread.start()
        try:
            while not self._is_over() and monotonic() < end and self._step():
                pass
        finally:
            self._close()
        if self._failure is not None:
            raise self._failure

    def interrupt(self) -> None:
        """Ends the run as closing the window does; for a signal's handler.

        An exception could also strike while files are completed, and an event is no good: the
        thread that a handler breaks into may hold its lock.
        """
        self.interrupted = True

    @property
    def dropped(self) -> int:
        """Frames that a newer one took the place of."""
        return self.frames.dropped + self.asked.dropped

    def _is_over(self) -> bool:
        return self.interrupted or self.stop.is_set()

    def _step(self) -> bool:
        """Shows what is newest and obeys a key; returns whether to go on."""
        shot = self.shown.take(timeout=_REDRAW_SECONDS)
        if self.window is None:
            self._tell_trouble()
        if shot is LAST:
            return False
        if shot is not None:
            self._shot = shot
            self.status.frames.count()
        if self._shot is None or (self.window is None and shot is None):
            return self.window is None or self._obey(self.window.key())
        if self.window is None and self.recorder is None:
            return True
        picture = self._draw(self._shot)
        if self.recorder is not None and shot is not None:
            self.recorder.write(picture, shot.frame.time)
        if self.window is None:
            return True
        self.window.show(self._with_help(picture))
        return self._obey(self.window.key())

    def _tell_trouble(self) -> None:
        """Says on standard error, once, what a window would show all the while."""
        trouble = self.status.source_trouble or self.status.model_trouble
        if trouble and trouble != self._told:
            print(trouble, file=sys.stderr)
        self._told = trouble

    def _say(self, text: str) -> None:
        # Standard output may be another program's, for JSON alone.
        to_stdout = self.options.jsonl != STANDARD_OUTPUT
        print(text, file=sys.stdout if to_stdout else sys.stderr)

    def _draw(self, shot: Shot) -> Image:
        image = shot.frame.image
        picture = image[:, ::-1].copy() if self.mirrored else image.copy()
        lines = status_lines(
            self.status,
            self.dropped,
            recording=self.recorder is not None,
            paused=self.reader.paused.is_set(),
        )
        self.painter.panel(picture, lines)
        faces = self.tracker.current(shot.faces)
        self.painter.faces(picture, faces, mirrored=self.mirrored)
        return picture

    def _with_help(self, picture: Image) -> Image:
        if self._help:
            self.painter.panel(picture, [(line, False) for line in HELP], bottom=True)
        return picture

    def _obey(self, key: str) -> bool:
        commands: dict[str, Callable[[], None]] = {
            "h": self._toggle_help,
            "p": self._toggle_pause,
            " ": self._toggle_pause,
            "s": self._snapshot,
            "r": self._toggle_recording,
            "m": self._toggle_mirror,
            "n": self.reader.next_source,
        }
        if key in commands:
            commands[key]()
        return key != "q"

    def _toggle_help(self) -> None:
        self._help = not self._help

    def _toggle_pause(self) -> None:
        paused = self.reader.paused
        (paused.clear if paused.is_set() else paused.set)()

    def _toggle_mirror(self) -> None:
        self.mirrored = not self.mirrored

    def _snapshot(self) -> None:
        if self._shot is not None:
            path = self._output("snapshot", ".png")
            save_image(path, self._draw(self._shot))
            self._say(f"Wrote {path}.")

    def _toggle_recording(self) -> None:
        if self.recorder is None:
            self.recorder = Recorder(self._output("recording", ".mp4"))
        else:
            self._end_recording()

    def _end_recording(self) -> None:
        recorder, self.recorder = self.recorder, None
        if recorder is not None and recorder.close():
            self._say(f"Wrote {recorder.path}.")

    def _output(self, kind: str, suffix: str) -> Path:
        time = datetime.now().astimezone()
        return self.options.output / f"{kind}-{time:%Y%m%d-%H%M%S-%f}{suffix}"

    def _ask(self, asker: Asker) -> None:
        # Not in the main thread: a named pipe opens only when somebody reads it.
        if self.journal is not None:
            self.journal.open()
        asker.run()

    def _answered(self, shot: Shot, prediction: Prediction | None) -> None:
        self.summary.add(shot)
        if self.journal is not None:
            self.journal.write(shot, prediction, monotonic() - shot.frame.captured)

    def _guard(self, work: Callable[[], None]) -> None:
        """Runs work; the first failure ends the program and is raised when all is closed."""
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error
            self.stop.set()

    def _close(self) -> None:
        self.stop.set()
        for slot in (self.frames, self.asked, self.shown):
            slot.close()
        # First, for a thread may still wait for a slow server.
        if self.window is not None:
            self.window.close()
        self._guard(self._end_recording)
        end = monotonic() + _PARTING_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(end - monotonic(), 0))
        # A thread that is late may be writing; its lines are whole without this.
        if self.journal is not None and not self._threads[-1].is_alive():
            self.journal.close()
        if self.options.chart and self._failure is None:
            self.summary.chart(self.options.chart, self.writer, self.drawn_names)


def _read_names(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--names {path} cannot be read: {error}.") from None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UserError(f'--names {path}: it must be an object such as {{"happy": "高兴"}}.')
    return names


def _writable(names: dict[str, str], writer: Writer) -> dict[str, str]:
    """Returns the names that can be drawn; one sentence on standard error tells of the others."""
    drawn = {label: name for label, name in names.items() if writer.can(name)}
    missing = [name for label, name in names.items() if label not in drawn]
    if missing:
        print(
            f"No font on this machine has {', '.join(missing)}: these classes are shown by their "
            "own names. --font names a font that has them.",
            file=sys.stderr,
        )
    return drawn
