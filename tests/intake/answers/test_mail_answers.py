"""Mail, against an SMTP server on loopback that knows just enough."""

import asyncio
import email
import email.policy
import ssl
import subprocess
import threading
from collections.abc import Iterator

import pytest
from answers_support import post, told

from karkhana.intake.answers.channel import Failed, Hopeless, LockedOut
from karkhana.intake.answers.mail import MailChannel
from karkhana.intake.deliveries import Delivery, Ignored
from karkhana.intake.mail import Mail

REFERENCE = "asha@example.test <m1@example.test>"


class FakeMailServer:
    """Takes mail over TLS; refuses whoever is not ``robot``, and mail to ``nobody@…``."""

    def __init__(self, folder) -> None:
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        names = ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run([*words, *names, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.client = ssl.create_default_context(cafile=certificate)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self.taken: list[bytes] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> "FakeMailServer":
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)
        self._loop.close()

    async def _serve(self) -> None:
        made = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._tls)
        self.port = made.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        made.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 fake\r\n")
        while (said := (await reader.readline()).strip()) and said.upper() != b"QUIT":
            word = said.split(b" ")[0].upper()
            if word == b"AUTH":
                writer.write(b"235 in\r\n" if said.endswith(b"AHJvYm90AHNlY3JldA==") else b"535 no\r\n")
            elif word == b"EHLO":
                writer.write(b"250-fake\r\n250 AUTH PLAIN\r\n")
            elif word == b"RCPT":
                writer.write(b"550 none\r\n" if b"nobody@" in said else b"250 ok\r\n")
            elif word == b"DATA":
                writer.write(b"354 go\r\n")
                # a dot that begins a line is sent twice (RFC 5321, section 4.5.2)
                self.taken.append((await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n."))
                writer.write(b"250 ok\r\n")
            else:
                writer.write(b"250 ok\r\n")
        writer.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[FakeMailServer]:
    with FakeMailServer(tmp_path_factory.mktemp("mail")) as running:
        yield running


def channel(server: FakeMailServer, *, secret: str = "secret", scheme: str = "smtps") -> MailChannel:
    address = f"{scheme}://localhost:{server.port}"
    return MailChannel(address, "factory@shop.test", user="robot", secret=lambda: secret, tls=server.client)


def say(made: MailChannel, *words, **more):
    return asyncio.run(made.say(*words, **more))


def test_an_answer_belongs_to_the_thread_and_answers_no_answer(server):
    external = say(channel(server), told("It is done.", quote="why\n.\nnot"), post(REFERENCE))
    made = email.message_from_bytes(server.taken[-1], policy=email.policy.default)
    assert (made["To"], made["In-Reply-To"], made["References"]) == (
        "asha@example.test",
        "<m1@example.test>",
        "<m1@example.test>",
    )
    assert (made["Auto-Submitted"], made["Message-ID"]) == ("auto-replied", "<karkhana.m1@shop.test>")
    assert made.get_content().splitlines()[:5] == ["It is done.", "", "why", ".", "not"]
    before = len(server.taken)
    assert say(channel(server), told("It is done."), post(REFERENCE, external=external)) == external
    assert len(server.taken) == before
    # what we send is nothing that we would answer
    mine = Delivery({}, server.taken[-1], 0.0)
    assert Mail("mx.shop.test").read(mine) == Ignored("a program or a list sent it")


@pytest.mark.parametrize(
    ("reference", "secret", "kind"),
    [
        (REFERENCE, "wrong", LockedOut),
        ("nobody@example.test <m1@example.test>", "secret", Hopeless),
        ("no address", "secret", Hopeless),
        ("asha@example.test\nBcc:x@y.test <m1@example.test>", "secret", Hopeless),
    ],
)
def test_refusals_are_told_apart(server, reference, secret, kind):
    before = len(server.taken)
    with pytest.raises(kind) as caught:
        say(channel(server, secret=secret), told(), post(reference))
    assert "secret" not in str(caught.value)
    assert len(server.taken) == before


def test_a_server_whose_name_is_not_its_own_gets_nothing(server):
    strange = MailChannel(f"smtps://127.0.0.1:{server.port}", "f@shop.test", secret=lambda: "", tls=server.client)
    with pytest.raises(Failed, match="mail"):
        say(strange, told(), post(REFERENCE))


def test_without_tls_nothing_is_sent():
    async def plain_server() -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 fake\r\n")
            while (await reader.readline()).strip():
                writer.write(b"250 fake\r\n")
            writer.close()

        made = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with made:
            address = f"smtp://127.0.0.1:{made.sockets[0].getsockname()[1]}"
            with pytest.raises(Failed) as caught:
                await MailChannel(address, "f@shop.test", user="robot", secret=lambda: "secret").say(
                    told(), post(REFERENCE)
                )
        return str(caught.value)

    assert "STARTTLS" in asyncio.run(plain_server())
