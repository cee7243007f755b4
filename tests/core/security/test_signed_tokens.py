"""Tokens that only this service can make, each in one spelling."""

import base64
import string

import pytest
from bson import ObjectId

from taskmanager.core.security import signed_tokens

ALPHABET = string.ascii_letters + string.digits + "-_"
pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture(params=[1, 2, 3])
def token(request):
    return signed_tokens.sign("tm_", *[ObjectId() for _ in range(request.param)], nonce=signed_tokens.make_nonce())


def test_one_that_we_made_names_what_it_was_made_for():
    ids, nonce = (ObjectId(), ObjectId()), signed_tokens.make_nonce()
    assert signed_tokens.verify("tm_", signed_tokens.sign("tm_", *ids, nonce=nonce)) == (ids, nonce)


def test_each_has_one_spelling(token):
    """The last character holds bits that decoding drops: another with the same rest would be the same token."""
    assert [last for last in ALPHABET if signed_tokens.verify("tm_", token[:-1] + last)] == [token[-1]]
    padded = [token + end for end in ("=", "==", "\n", " ", "A", "AA", ".")]
    assert [other for other in padded if signed_tokens.verify("tm_", other)] == []


def test_one_in_the_other_alphabet_of_base64_is_none():
    for _ in range(200):  # until one has a character in which they differ
        token = signed_tokens.sign("tm_", ObjectId(), nonce=signed_tokens.make_nonce())
        if other := token[3:].translate(str.maketrans("-_", "+/")) != token[3:]:
            break
    assert other and signed_tokens.verify("tm_", "tm_" + token[3:].translate(str.maketrans("-_", "+/"))) is None


def test_any_other_byte_or_kind_is_refused(token):
    raw = bytearray(base64.urlsafe_b64decode(token[3:] + "=" * (-len(token[3:]) % 4)))
    for at in range(len(raw)):
        changed = bytes(raw[:at]) + bytes([raw[at] ^ 1]) + bytes(raw[at + 1 :])
        assert signed_tokens.verify("tm_", "tm_" + base64.urlsafe_b64encode(changed).rstrip(b"=").decode()) is None
    assert signed_tokens.verify("tl_", "tl_" + token[3:]) is None
    assert signed_tokens.verify("tm_", token[3:]) is None
