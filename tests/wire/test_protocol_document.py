"""docs/PROTOCOL.md says what the code does: the topics, and the fields of every document."""

import re

import pytest

from cart.wire import messages


@pytest.fixture(scope="module")
def document(repository):
    return (repository / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def test_the_topic_table_is_the_one_in_the_code(document):
    rows = re.findall(r"^\| ((?:up|down)/\w+) \| (\w+) \| (\S+) \| (\d) \| (yes|no) \|$", document, re.MULTILINE)
    assert rows == [
        (row.tail, row.document, row.signed_by or "-", str(row.qos), "yes" if row.retained else "no")
        for row in messages.TOPICS
    ]


@pytest.mark.parametrize(
    "kind",
    [messages.ChargeDocument, messages.ReceiptDocument, messages.CommandDocument, messages.StatusDocument],
    ids=lambda kind: kind.__struct_config__.tag,
)
def test_every_field_of_a_document_is_in_its_table(document, kind):
    tag = kind.__struct_config__.tag
    table = re.search(rf"^\| {tag} \| type \| what \|\n(?:\|.*\n)+", document, re.MULTILINE)
    assert table, f"no table of {tag}"
    told = {name for row in table[0].splitlines()[2:] for name in row.split("|")[1].replace(",", " ").split()}
    assert told == {"kind", *kind.__struct_fields__}


def test_the_limits_are_those_of_the_code(document):
    assert f"at most {messages.DOWN_BYTES_MAX:,} bytes" in document
    assert f"the store {messages.UP_BYTES_MAX:,}" in document
