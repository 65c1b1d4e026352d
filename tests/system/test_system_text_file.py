"""Text that people wrote, read whatever their editor puts before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dfbench import defaults as configuration
from dfbench.suites.file import read_suite
from dfbench.system.files import decoded_text

SUITE = 'methods = ["crossx"]\ndatasets = ["shapes"]\nseeds = [0]\ntitle = "é"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_suite_and_configuration_are_read_with_a_mark(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "suite.toml").write_bytes(SUITE.encode(encoding))
    assert read_suite(tmp_path / "suite.toml").suite.title == "é"
    file = tmp_path / "config.toml"
    file.write_bytes('data-root = "données"\n'.encode(encoding))
    monkeypatch.setattr(configuration, "configuration_file", lambda: file)
    assert configuration.data_root_or_configured(None) == tmp_path / "données"


@pytest.mark.parametrize(
    "content", [b"\xff", b"a\0b\0", b"\xff\xfea", b"caf\xe9", b"\xef\xbb\xbf\xff"]
)
def test_bytes_that_are_no_text_are_refused_with_the_reason(content: bytes) -> None:
    with pytest.raises(ValueError, match="save it as UTF-8"):
        decoded_text(content)


def test_mark_is_no_part_of_the_text() -> None:
    assert decoded_text("\ufeffcat".encode()) == "cat"
    assert decoded_text(b"") == ""
