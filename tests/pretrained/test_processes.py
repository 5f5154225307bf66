"""Several processes and threads at one cache; processes that are killed; the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import loopback
from support.downloads import SOON

from sensenet.cli.pretrained import main
from sensenet.pretrained.cache import SMALLEST_NETWORK
from sensenet.pretrained.lock import file_lock
from sensenet.pretrained.networks import weights_file_name

NAME = weights_file_name("resnet18")

SAYS_WAITS = """
import sys, time
sleep, said = time.sleep, []

def say_and_sleep(seconds):
    if not said:
        said.append(print("waits", file=sys.stderr, flush=True))
    sleep(seconds)

time.sleep = say_and_sleep
from sensenet.cli.pretrained import main
sys.exit(main())
"""
"""The command, which says when it waits for the first time."""


def start(*arguments: str, code: tuple[str, ...] = ("-m", "sensenet.pretrained")) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_at_once_download_once(server, cache):
    server.always = loopback.stall(1000)
    first = start("fetch", "resnet18")
    assert server.waiting.wait(SOON)
    second = start("fetch", "resnet18", code=("-c", SAYS_WAITS))
    server.always = loopback.honest
    assert second.stderr.readline() == "waits\n"  # for the first one
    server.release.set()  # the connection breaks, and the first one resumes
    for process in (first, second):
        output, errors = process.communicate(timeout=SOON)
        assert (process.returncode, output, errors) == (0, f"{cache / NAME}\n", "")
    assert (cache / NAME).read_bytes() == server.content
    assert [request.get("range") for request in server.requests] == [None, "bytes=1000-"]
    assert os.listdir(cache) == [NAME]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_download_is_resumed_by_the_next_process(server, cache, capsys):
    server.always = loopback.stall(200_000)
    process = start("fetch", "resnet18")
    assert server.waiting.wait(SOON)
    part = cache / f".{NAME}.part"
    deadline = time.monotonic() + SOON
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    arrived = part.stat().st_size
    assert arrived > 0
    assert (cache / f".{NAME}.lock").exists()  # left behind, and in nobody's way
    assert not (cache / NAME).exists()
    server.always = loopback.honest
    assert main(["fetch", "resnet18"]) == 0
    assert server.requests[1]["range"] == f"bytes={arrived}-"
    assert (cache / NAME).read_bytes() == server.content
    assert os.listdir(cache) == [NAME]


def test_lock_is_held_by_one_thread_at_a_time(tmp_path):
    holders: list[int] = []
    most = []

    def hold(me: int) -> None:
        for _ in range(20):
            with file_lock(tmp_path / "lock", sleep=lambda _: time.sleep(0)):
                holders.append(me)
                most.append(len(holders))
                time.sleep(0)  # lets others run
                holders.remove(me)

    threads = [threading.Thread(target=hold, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert most == [1] * 80
    assert os.listdir(tmp_path) == []


def test_lock_is_dropped_when_its_holder_fails(tmp_path):
    with pytest.raises(RuntimeError), file_lock(tmp_path / "lock"):
        raise RuntimeError
    with file_lock(tmp_path / "lock", sleep=pytest.fail):
        pass


# The command line


def test_list_shows_every_network_and_what_the_cache_has(cache, capsys):
    cache.mkdir()
    (cache / NAME).write_bytes(bytes(SMALLEST_NETWORK))
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = {line.split()[0]: line.split()[1:] for line in lines[1:-1]}
    assert shown["resnet18"] == ["classifier", "224x224", "weights"]
    assert shown["xception"] == ["classifier", "299x299", "-"]
    assert shown["yolov4"] == ["detector", "416x416", "-"]
    assert len(shown) == 7
    assert lines[-1] == f"cache: {cache}"


def test_path_says_where_the_file_goes_and_whether_it_is_there(server, cache, capsys):
    assert main(["path", "resnet18"]) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{cache / NAME}\n"
    assert f"{server.url}{NAME}" in captured.err
    assert not server.requests
    assert main(["fetch", "resnet18"]) == 0
    assert main(["path", "resnet18"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{cache / NAME}\n" * 2
    assert captured.err == ""


def test_fetch_extractor_downloads_the_bundle(server, cache, capsys):
    assert main(["fetch", "resnet18", "--extractor"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.name == "resnet18_extractor_cb5ddcb5.smbundle"
    assert path.read_bytes() == server.content


def test_failed_fetch_prints_one_line_and_exits_with_1(server, cache, capsys):
    server.always = loopback.status(404)
    assert main(["fetch", "resnet18"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("sensenet: error: cannot download resnet18")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["fetch"], ["fetch", "resnet19"], ["frobnicate"]])
def test_wrong_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_import_needs_neither_tensorflow_nor_numpy():
    code = "import sys, sensenet.pretrained as p; p.get_pretrained_network('yolov4'); print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {"tensorflow", "keras", "h5py", "numpy"}.isdisjoint(output.split())
