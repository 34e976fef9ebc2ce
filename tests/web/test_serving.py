"""The real command on loopback: it tells its link, refuses other addresses, and stops though somebody watches."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from karkhana.domain.errors import InvalidInput
from karkhana.web.serving import bound


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", "127.0.0.2", ""])
def test_only_this_machine_is_listened_to(host):
    with pytest.raises(InvalidInput, match="this machine only") as caught:
        bound(host, 0)
    assert "ssh -L" in caught.value.next


def test_a_taken_port_is_told():
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(InvalidInput, match="cannot be used"):
            bound("127.0.0.1", taken.getsockname()[1])


@pytest.mark.slow
def test_the_command_serves_and_stops_though_somebody_watches(tmp_path: Path):
    environment = {**os.environ, "KARKHANA_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", "from karkhana.cli.main import main; main()", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        told = json.loads(process.stdout.readline())
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with opener.open(told["link"], timeout=30) as page:
            assert page.url == told["address"] + "/"
            assert "karkhana demo" in page.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            opener.open(told["link"], timeout=30)
        with opener.open(told["address"] + "/live", timeout=30) as stream:
            assert stream.readline() == b"retry: 1500\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            stream.read()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
