"""A team's server speaks TLS with the certificate of its settings, takes a renewed one, and nobody goes around it."""

import contextlib
import datetime
import http.client
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from karkhana.domain.access_settings import AccessSettings
from karkhana.domain.errors import InvalidInput, InvalidSetting
from karkhana.web.serving import bound
from karkhana.web.tls import Certificate


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for loopback, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(*plain))
    return chain, private


TEAM = {"mode": "team", "public_url": "https://k.test", "issuer": "https://id.test", "client_id": "k"}


def test_a_team_listens_elsewhere_with_tls_or_a_proxy_only(tmp_path):
    with pytest.raises(InvalidInput, match="over TLS only"):
        bound("0.0.0.0", 0, AccessSettings(**TEAM))
    with bound("127.0.0.1", 0, AccessSettings(**TEAM)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
    # this machine's second address stands for any other: nothing listens where somebody could come by
    for more in ({"proxies": ("10.0.0.1",)}, {"certificate": tmp_path / "a", "key": tmp_path / "b"}):
        with bound("127.0.0.2", 0, AccessSettings(**TEAM, **more)) as listening:
            assert listening.getsockname()[0] == "127.0.0.2"
    with pytest.raises(InvalidInput, match="this machine only"):
        bound("127.0.0.2", 0, AccessSettings(proxies=("10.0.0.1",)))


def test_files_that_are_no_certificate_are_told(tmp_path):
    chain, key = certificate(tmp_path / "one", "one")
    other = certificate(tmp_path / "two", "two")[1]
    for pair in ((chain, tmp_path / "none"), (key, key), (chain, other)):
        with pytest.raises(InvalidSetting, match="cannot be used"):
            Certificate(*pair)


def test_a_renewed_certificate_is_taken_and_half_of_one_is_not(tmp_path):
    chain, key = certificate(tmp_path / "live", "first")
    made = Certificate(chain, key)
    assert not made.refresh()
    served = shown(made)
    new_chain, new_key = certificate(tmp_path / "new", "second")
    chain.write_bytes(new_chain.read_bytes())
    assert not made.refresh()
    assert shown(made) == served
    key.write_bytes(new_key.read_bytes())
    assert made.refresh()
    assert shown(made) == ssl.PEM_cert_to_DER_cert(new_chain.read_text())


def shown(made: Certificate) -> bytes:
    """The certificate that a client is shown."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_client, to_server, at_client, at_server = (ssl.MemoryBIO() for _ in range(4))
    here = client.wrap_bio(at_client, to_server)
    there = made.context.wrap_bio(at_server, to_client, server_side=True)
    for _ in range(4):
        for side, source, sink in ((here, to_server, at_server), (there, to_client, at_client)):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            sink.write(source.read())
    found = here.getpeercert(binary_form=True)
    assert found is not None
    return found


@pytest.mark.slow
def test_the_command_serves_a_team_over_tls(tmp_path: Path):
    chain, key = certificate(tmp_path / "tls", "k.test")
    config = tmp_path / "config" / "karkhana"
    config.mkdir(parents=True)
    lines = [f'{name} = "{value}"' for name, value in {**TEAM, "certificate": chain, "key": key}.items()]
    (config / "config.toml").write_text("\n".join(["[access]", *lines, ""]))
    environment = {**os.environ, "KARKHANA_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-c", "from karkhana.cli.main import main; main()", "serve", "--json", "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert json.loads(process.stdout.readline()) == {"address": "https://k.test"}
        trusting = ssl.create_default_context(cafile=str(chain))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trusting)
        connection.request("GET", "/", headers={"host": "k.test", "accept": "text/html"})
        answer = connection.getresponse()
        assert (answer.status, "Sign in" in answer.read().decode()) == (401, True)
        connection.close()
        with socket.create_connection(("127.0.0.1", port), 30) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nhost: k.test\r\n\r\n")
            assert b"Karkhana" not in plain.recv(1000)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
