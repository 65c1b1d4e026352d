from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from stand_in import stand_in_run


def test_draw_prints_a_link_serves_it_and_ends_with_ctrl_c(
    pictures: Path, tmp_path: Path, shell: dict[str, str]
) -> None:
    stand_in_run(tmp_path)
    verb = [
        *(sys.executable, "-c", "from dfbench.cli import main; main()", "draw", "--no-browser"),
        *("--run", "crossx-s0", "--gallery", str(pictures / "photo" / "cup"), "--cache", "cache"),
    ]
    process = subprocess.Popen(
        verb, cwd=tmp_path, env=shell, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urlopen(url, timeout=30) as page:  # noqa: S310  # the link that was just printed
            assert b"<canvas" in page.read()
        with urlopen(f"{url}photos/11", timeout=30) as photo:  # noqa: S310  # likewise
            assert photo.read().startswith(b"\xff\xd8")
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, rest) == (0, "")
    assert told == "12 photos; press Ctrl-C to stop\nstopped\n"
