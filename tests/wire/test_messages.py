import base64
import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.core.trip import Charge, Line
from cart.wire import messages
from cart.wire.messages import ChargeDocument, CommandDocument, Origin, ReceiptDocument, StatusDocument

ORIGIN = Origin("demo", "store-1", "cart-7")
LINE = Line(1, "milk", "Milk 1 l", "piece", 1_030_000, 129, 129, "scanned and weighed", 3)
CHARGE = Charge(
    "01998f3c-0000-7000-8000-000000000001", 4, "trip", 1_767_225_600_000, "EUR", 129, (LINE,), ("late",), "demo-1"
)
INCARNATION, PREV = "0123456789abcdef", "c" * 64
BODY = messages.charge_body(CHARGE, ORIGIN, INCARNATION, PREV)
RECEIPT = ReceiptDocument(
    chain="demo", store="store-1", cart="cart-7", incarnation=INCARNATION, charge_id=CHARGE.charge_id,
    sha256="d" * 64, verdict="accepted", position="12", wall_ms="5",
)  # fmt: skip


def test_a_charge_is_these_bytes():
    """Golden: what carts sign and ledgers keep. A change here is a new version of the protocol."""
    assert BODY.decode() == (
        '{"kind":"charge","v":1,"chain":"demo","store":"store-1","cart":"cart-7","incarnation":"0123456789abcdef",'
        '"seq":"4","charge_id":"01998f3c-0000-7000-8000-000000000001","prev":"' + PREV + '","trip_id":"trip",'
        '"wall_ms":"1767225600000","currency":"EUR","total_minor":"129","lines":[{"id":1,"product_id":"milk",'
        '"name":"Milk 1 l","sold_by":"piece","mass_mg":1030000,"unit_price_minor":"129","amount_minor":"129",'
        '"reason":"scanned and weighed","review":false}],"flags":["late"],"catalog_version":"demo-1",'
        '"not_for_trade":true}'
    )


def test_a_charge_reads_back():
    document = messages.read_body(BODY, ChargeDocument)
    assert messages.body_of(document) == BODY
    assert messages.int64(document.lines[0].amount_minor) == 129


def test_a_name_or_reason_too_long_for_the_wire_is_cut_so_that_the_store_can_read_the_charge():
    line = replace(LINE, name="ü" * 600, reason="x" * 600)
    body = messages.charge_body(replace(CHARGE, lines=(line,)), ORIGIN, INCARNATION, "")
    assert len(messages.read_body(body, ChargeDocument).lines[0].name) == messages.TEXT_MAX


@given(st.text(), st.binary(max_size=64))
def test_an_envelope_gives_back_exactly_the_bytes_that_were_signed(text, signature):
    body = text.encode("utf-8", "surrogatepass") if text.isascii() else text.encode("utf-8", "replace")
    assert messages.unseal(messages.seal(body, signature, "0" * 16), 10_000_000) == (body, signature, "0" * 16)


@pytest.mark.parametrize("payload", [
    b"", b"{}", b"[]", b"\xff\xfe", b"null", b'{"body":"x","key":"0","sig":""}',
    b'{"body":"x","key":"0123456789abcdef","sig":"not base64!"}',
    b'{"body":"\\ud800","key":"0123456789abcdef","sig":""}',
    b'{"body":"x","key":"0123456789abcdef","sig":"","more":1}',
    b"[" * 100_000,
    b'{"body":"' + b"x" * 2_000_000 + b'","key":"0123456789abcdef","sig":""}',
])  # fmt: skip
def test_what_is_no_envelope_is_refused(payload):
    with pytest.raises(ValueError, match=r"envelope|bytes"):
        messages.unseal(payload, messages.UP_BYTES_MAX)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_raise_a_value_error(data):
    for read in (
        lambda: messages.unseal(data, 200),
        lambda: messages.read_body(data, ChargeDocument),
        lambda: messages.read_body(data, ReceiptDocument),
        lambda: messages.parse_topic(data.decode("latin-1")),
    ):
        with suppress(ValueError):
            read()


@given(st.sampled_from(sorted(json.loads(BODY))), st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none()))
def test_a_charge_with_a_field_of_another_shape_never_does_more_than_raise_a_value_error(field, value):
    with suppress(ValueError):
        messages.read_body(json.dumps(json.loads(BODY) | {field: value}).encode(), ChargeDocument)


def test_a_signed_document_of_one_kind_is_none_of_another():
    with pytest.raises(ValueError, match="kind"):
        messages.read_body(messages.body_of(RECEIPT), CommandDocument)


def test_numbers_of_64_bits_travel_as_text():
    assert messages.int64("9223372036854775807") == 2**63 - 1
    for text in ("9223372036854775808", "-9223372036854775809", "01", "1\n", "+1", "1e3", "", "-0", " 1"):
        with pytest.raises(ValueError):  # noqa: PT011
            messages.int64(text)


def test_topics_name_a_cart_and_back():
    topic = messages.topic_of(ORIGIN, "up/charge")
    assert topic == "sc/v1/demo/store-1/cart-7/up/charge"
    assert messages.parse_topic(topic) == (ORIGIN, "up/charge")
    assert messages.every_cart("up/charge") == "sc/v1/+/+/+/up/charge"


@pytest.mark.parametrize("topic", [
    "sc/v1/demo/store-1/../up/charge", "sc/v1/demo/store-1/cart-7/up/other", "sc/v2/demo/store-1/cart-7/up/charge",
    "sc/v1/demo/store-1/cart-7/up/charge/x", "sc/v1/demo//cart-7/up/charge", "", "sc/v1/demo/store-1/c\n/up/charge",
])  # fmt: skip
def test_other_topics_are_refused(topic):
    with pytest.raises(ValueError, match="not a topic of ours"):
        messages.parse_topic(topic)


def test_every_document_has_a_row_in_the_topic_table():
    documents = {
        kind.__struct_config__.tag for kind in (ChargeDocument, ReceiptDocument, CommandDocument, StatusDocument)
    }
    assert {row.document for row in messages.TOPICS} == documents


def test_the_signature_is_base64_with_its_padding():
    payload = messages.seal(b"{}", bytes(64), "0" * 16)
    assert base64.b64decode(json.loads(payload)["sig"]) == bytes(64)
