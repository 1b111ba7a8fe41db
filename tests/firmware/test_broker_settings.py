"""The store's broker: a cart speaks for itself only, by name now and by certificate later."""

import ipaddress
import queue
import re
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from cart.core.sync import WINDOW
from cart.edge import broker as cart_broker
from cart.wire import messages
from tests.firmware.said import FOLDER, lines
from tools.processes import Spawned, find_mosquitto, free_port

BROKER = FOLDER / "broker"
NOT_AUTHORIZED = 135
NOBODY_LISTENS = 16
WAIT_S = 10

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(find_mosquitto() is None, reason="there is no mosquitto here: apt install mosquitto"),
]


class Talker:
    """A client that tells what became of what it sent, and what came."""

    def __init__(self, port, client_id, tls=None):
        self.answers, self.came, self.up = queue.Queue(), queue.Queue(), queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_connect = lambda _c, _d, _f, reason, _p: self.up.put(reason.value)
        self.client.on_publish = lambda _c, _d, _mid, reason, _p: self.answers.put(reason.value)
        self.client.on_subscribe = lambda *_: self.up.put(0)
        self.client.on_message = lambda _c, _d, message: self.came.put(message.topic)
        if tls is not None:
            self.client.tls_set_context(tls)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.up.get(timeout=WAIT_S) == 0

    def publish(self, topic):
        self.client.publish(topic, b"x", qos=1)
        return self.answers.get(timeout=WAIT_S)

    def listen(self, topic):
        self.client.subscribe(topic, qos=1)
        self.up.get(timeout=WAIT_S)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def started(tmp_path):
    """Start a mosquitto with a configuration; all end with the test."""
    ends = []

    def start(text):
        (tmp_path / "mosquitto.conf").write_text(text)
        program = Spawned("mosquitto", [find_mosquitto(), "-c", str(tmp_path / "mosquitto.conf")], tmp_path / "log",
                          hear="stderr")  # fmt: skip
        ends.append(program.kill)
        program.wait_for("running")

    def talk(*args, **more):
        talker = Talker(*args, **more)
        ends.append(talker.close)
        return talker

    start.talk = talk
    yield start
    for end in reversed(ends):
        end()


def adapted(text, folder, ports):
    """Return the configuration for this test's folder and ports, run by whoever runs the test."""
    for old, new in ports.items():
        text = re.sub(rf"^listener {old}( 127\.0\.0\.1)?$", f"listener {new} 127.0.0.1", text, flags=re.MULTILINE)
    text = text.replace("/etc/mosquitto/carts.acl", str(BROKER / "carts.acl"))
    text = text.replace("/var/lib/mosquitto/", f"{folder}/").replace("log_dest syslog", "log_dest stderr")
    return text + "\nuser root\nlog_type information\n"


def topic(cart, tail):
    return messages.topic_of(messages.Origin("demo", "store-1", cart), tail)


@pytest.fixture
def store_broker(started, tmp_path):
    carts, office = free_port(), free_port()
    text = (BROKER / "mosquitto.conf").read_text(encoding="utf-8")
    started(adapted(text, tmp_path, {1883: carts, 1884: office}))
    started.carts, started.office = carts, office
    return started


def test_a_cart_publishes_as_itself_and_as_nobody_else(store_broker):
    cart = store_broker.talk(store_broker.carts, "cart-1")
    assert cart.publish(topic("cart-1", "up/charge")) in (0, NOBODY_LISTENS)
    assert cart.publish(topic("cart-1", "up/status")) in (0, NOBODY_LISTENS)
    for refused in (topic("cart-2", "up/charge"), topic("cart-1", "down/receipt"), "sc/v1/demo", "$SYS/x"):
        assert cart.publish(refused) == NOT_AUTHORIZED, refused


def test_a_cart_hears_what_is_for_it_and_nothing_else(store_broker):
    office = store_broker.talk(store_broker.office, "backoffice")
    cart = store_broker.talk(store_broker.carts, "cart-1")
    cart.listen("sc/#")
    for name in ("cart-2", "cart-1"):
        office.publish(topic(name, "down/receipt"))
    assert cart.came.get(timeout=WAIT_S) == topic("cart-1", "down/receipt")
    assert cart.came.empty()


def test_the_back_office_hears_every_cart(store_broker):
    office = store_broker.talk(store_broker.office, "backoffice")
    office.listen(messages.every_cart("up/charge"))
    for name in ("cart-1", "cart-2"):
        assert store_broker.talk(store_broker.carts, name).publish(topic(name, "up/charge")) == 0
    assert {office.came.get(timeout=WAIT_S) for _ in range(2)} == {topic(f"cart-{n}", "up/charge") for n in (1, 2)}


def test_the_back_offices_door_is_on_its_own_machine_only():
    listeners = [line.split() for line in lines(BROKER / "mosquitto.conf") if line.startswith("listener")]
    assert listeners == [["listener", "1883"], ["listener", "1884", "127.0.0.1"]]


def test_the_limits_hold_what_carts_and_store_send():
    told = dict(line.split(" ", 1) for line in lines(BROKER / "mosquitto.conf"))
    assert int(told["max_packet_size"]) > messages.UP_BYTES_MAX
    assert int(told["max_inflight_messages"]) >= WINDOW
    assert int(told["persistent_client_expiration"].removesuffix("d")) * 86_400 > cart_broker.SESSION_EXPIRY_S


# -- certificates ---------------------------------------------------------------------------------


class Authority:
    """Signs certificates for one test, and revokes them."""

    def __init__(self, folder):
        self.folder, self.key, self.revoked = folder, ec.generate_private_key(ec.SECP256R1()), []
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
        self._write("ca", self._built("store", self.name, self.key, is_authority=True), self.key)

    def issue(self, name):
        """Write NAME.pem and NAME.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._built(name, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, is_authority=False)
        self._write(name, made, key)
        return made

    def write_revoked(self, *certificates):
        now = datetime.now(UTC)
        listed = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        listed = listed.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        for certificate in certificates:
            row = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now)
            listed = listed.add_revoked_certificate(row.build())
        self._file("crl.pem").write_bytes(listed.sign(self.key, hashes.SHA256()).public_bytes(_PEM))

    def context(self, name=None):
        """Return what a client with that certificate uses; None: without one."""
        context = ssl.create_default_context(cafile=str(self._file("ca.pem")))
        if name:
            context.load_cert_chain(self._file(f"{name}.pem"), self._file(f"{name}.key"))
        return context

    def _built(self, name, subject, key, *, is_authority):
        now = datetime.now(UTC)
        built = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number())
        built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        built = built.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        built = built.add_extension(x509.SubjectAlternativeName([x509.IPAddress(_LOOPBACK)]), critical=False)
        return built.sign(self.key, hashes.SHA256())

    def _write(self, name, certificate, key):
        self._file(f"{name}.pem").write_bytes(certificate.public_bytes(_PEM))
        plain = serialization.NoEncryption()
        self._file(f"{name}.key").write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))

    def _file(self, name):
        return self.folder / name


_PEM = serialization.Encoding.PEM
_LOOPBACK = ipaddress.ip_address("127.0.0.1")


@pytest.fixture
def tls_broker(started, tmp_path):
    authority = Authority(tmp_path)
    for name in ("broker", "cart-1", "cart-2"):
        authority.issue(name)
    authority.write_revoked(authority.issue("cart-stolen"))
    files = {"CA_FILE": "ca.pem", "CERT_FILE": "broker.pem", "KEY_FILE": "broker.key", "CRL_FILE": "crl.pem"}
    values = {"CHAIN": "demo", "STORE": "store-1", **{key: tmp_path / name for key, name in files.items()}}
    values["ACL_FILE"] = tmp_path / "acl"

    def filled(name):
        text = "\n".join(lines(BROKER / name))
        return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found[1]]), text)

    (tmp_path / "acl").write_text(filled("carts-tls.acl.template"))
    started.port, started.authority = free_port(), authority
    started(adapted(filled("tls.conf.template"), tmp_path, {8883: started.port}) + "log_dest stderr\n")
    return started


def test_with_certificates_the_name_in_it_decides_and_the_client_id_does_not(tls_broker):
    cart = tls_broker.talk(tls_broker.port, "cart-2", tls=tls_broker.authority.context("cart-1"))
    assert cart.publish(topic("cart-1", "up/charge")) in (0, NOBODY_LISTENS)
    assert cart.publish(topic("cart-2", "up/charge")) == NOT_AUTHORIZED
    other_store = messages.topic_of(messages.Origin("demo", "store-2", "cart-1"), "up/charge")
    assert cart.publish(other_store) == NOT_AUTHORIZED


@pytest.mark.parametrize(("name", "why"), [(None, "required"), ("cart-stolen", "revoked")])
def test_without_a_certificate_or_with_a_revoked_one_nobody_gets_in(tls_broker, name, why):
    context = tls_broker.authority.context(name)
    with (
        socket.create_connection(("127.0.0.1", tls_broker.port), WAIT_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        # In TLS 1.3 the client's side is done before the broker has looked at its certificate.
        pytest.raises(ssl.SSLError, match=f"(?i)certificate[ _]{why}"),
    ):
        secured.recv(1)
