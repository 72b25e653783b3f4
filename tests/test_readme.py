"""A newcomer who types what the README says gets what the README promises."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("README.md", "README.vi.md")
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language, in order."""
    return [code for tongue, code in BLOCK.findall((ROOT / page).read_text()) if tongue == language]


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def script(page: str, port: int) -> str:
    """The page's shell blocks as one script, on a port of its own; it ends by stopping the gateway it started."""
    setup, seat = blocks(page, "sh")
    setup = setup.replace("make setup\n", "").replace('"$PWD/.venv/bin:$PATH"', f'"{ROOT}/.venv/bin:$PATH"')
    setup = setup.replace(
        "lgsp init tinh && cd tinh", f"lgsp init tinh && cd tinh && sed -i s/860[0]/{port}/ lgsp.toml"
    )
    wait = f"until curl -fsS http://127.0.0.1:{port}/health/ready >/dev/null 2>&1; do sleep 0.1; done\n"
    take = "lgsp inbox --as H33.05/dms --take --json\n"
    python = "\n".join(f"python - <<'PY'\n{code}PY" for code in blocks(page, "python"))
    return f"set -eu\n{setup}trap 'kill $!; wait $! || true' EXIT\n{wait}{seat}\necho\n{python}\n{take}".replace(
        "8600", str(port)
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_first_message_of_the_readme_is_accepted_and_taken(page: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        ["bash", "-c", script(page, free_port())],
        cwd=tmp_path,
        env={**os.environ, "LGSP_LOG": "error"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        try:
            out, err = run.communicate(timeout=60)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)

    assert run.returncode == 0, err
    answer = json.loads(next(line for line in out.splitlines() if line.startswith('{"id"')))
    assert answer["state"] == "accepted"
    assert answer["recipients"] == ["H33.05/dms"]
    assert answer["receipt"].count(".") == 2
    assert "Thông báo lịch họp" in out[out.index(answer["receipt"]) :]


def test_both_readmes_show_the_same_commands() -> None:
    english, vietnamese = (blocks(page, "sh") for page in PAGES)

    assert english == vietnamese
