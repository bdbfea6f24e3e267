"""Secrets are masked in any text, what is none stays, and no text takes long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduled_tasks import masking

MASKED = {
    "password=hunter2 x": "password=*** x",
    "password='correct horse' x": "password=*** x",
    "password='it\\'s long' x": "password=*** x",
    "password='cut off": "password=***",
    "password: hunter2, x": "password: ***, x",
    'the answer is {"db_password": "a b", "n": 1}': 'the answer is {"db_password": ***, "n": 1}',
    r"{\"token\": \"a b\", \"n\": 1}": r"{\"token\": ***, \"n\": 1}",
    "Pwd=hunter2;Server=db": "Pwd=***;Server=db",
    "passphrase = hunter2": "passphrase = ***",
    "password=not-a-secret": "password=***",
    "AWS_SECRET_ACCESS_KEY=abc/def+g=": "AWS_SECRET_ACCESS_KEY=***",
    "aws_access_key_id: AKIAABCDEFGHIJKLMNOP": "aws_access_key_id: ***",
    "X-Api-Key: abc": "X-Api-Key: ***",
    "AccountKey=abc==;EndpointSuffix=x": "AccountKey=***;EndpointSuffix=x",
    "private_key='abc'": "private_key=***",
    "Authorization: Bearer abc.def": "Authorization: Bearer ***",
    "Authorization: Basic dXNlcjpwYXNz\nHost: x": "Authorization: Basic ***\nHost: x",
    "{'Authorization': 'Bearer abc', 'n': 1}": "{'Authorization': 'Bearer ***', 'n': 1}",
    "Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c": "Authorization: ***",
    "Set-Cookie: session=abc; Path=/": "Set-Cookie: ***",
    "with Bearer eyJhbGciOi12345 it failed": "with Bearer *** it failed",
    "curl --password hunter2 --host x": "curl --password *** --host x",
    "['curl', '--api-token', 'hunter2']": "['curl', '--api-token', ***]",
    "https://x/?a=1&sig=abc%2F&b=2": "https://x/?a=1&sig=***&b=2",
    "https://x/?X-Amz-Signature=abc&b=2": "https://x/?X-Amz-Signature=***&b=2",
    "https://maps/?key=AIza1&b=2": "https://maps/?key=***&b=2",
    "https://token@host/x": "https://***@host/x",
    "git+https://token@host/x": "git+https://***@host/x",
    "https://user:hunter2@host/x": "https://user:***@host/x",
    "postgresql://shop:p@ss@host/db": "postgresql://shop:***@host/db",
    "postgresql://shop:p/s?s#@host/db": "postgresql://shop:***@host/db",
    "postgresql://shop:p@s/s@host/db": "postgresql://shop:***@host/db",
    "redis://:hunter2@host:6379/0": "redis://:***@host:6379/0",
    "https://x/?next=https://token@host/": "https://x/?next=https://***@host/",
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----\nx": (
        "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nx"
    ),
    "-----BEGIN PRIVATE KEY-----\nMII": "-----BEGIN PRIVATE KEY-----***",
    f"it said ghp_{'a' * 36}": "it said ***",
    "it said eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-d": "it said ***",
}
KEPT = [
    "the key is missing",
    "the token has expired",
    "password=None",
    "password: missing",
    'token="***"',
    "tokens: 512",
    "max_tokens=512",
    "tokenizer=bert",
    "secretary: Anna",
    "KeyError: 'token'",
    "Basic authentication failed",
    "jwt.exceptions.ExpiredSignatureError: Signature has expired",
    "InvalidTokenError: no algorithm",
    "the bearer of this letter",
    "https://host:8443/users/anna@example.com",
    "https://host/?to=anna@example.com",
    "ssh://git@host/shop.git",
    "postgresql://shop@host/db",
    "postgresql://host:5432/db?user=anna@example.com",
    "http://[::1]:8000/@me",
    "sort_key=name primary_key=7 key=value",
    "type=cron name=rotate_tokens status=ended duration=0.051",
    "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
]


@pytest.fixture(autouse=True)
def _unknown() -> Iterator[None]:
    masking._known.cache_clear()
    yield
    masking._known.cache_clear()


@pytest.mark.parametrize(("text", "masked"), MASKED.items(), ids=map(repr, MASKED))
def test_a_secret_is_masked_and_what_surrounds_it_stays(text: str, masked: str) -> None:
    assert masking.mask(text) == masked


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masking.mask(text) == text


@pytest.mark.parametrize("text", sorted(set(MASKED.values())))
def test_a_masked_text_stays_as_it_is(text: str) -> None:
    assert masking.mask(text) == text


def test_the_values_of_credentials_and_of_variables_are_masked_wherever_they_occur(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "algolia").write_text("of-the-credential\n")
    (credentials / "short").write_text("x\n")
    (credentials / "database_url").write_text("postgresql://shop:p%40ss/word@db/shop\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("STRIPE_API_KEY", "of-the-variable")
    monkeypatch.setenv("SHOP_NAME", "the apple shop")
    text = f"{credentials}: of-the-credential of-the-variable p%40ss/word p@ss/word x the apple shop"
    assert masking.mask(text) == f"{credentials}: *** *** *** *** x the apple shop"
    assert masking.mask("(postgresql://shop:p%40ss/word@db/shop)") == "(***)"


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ({"password": "x", "n": 1}, {"password": "***", "n": 1}),
        ({"API-Key": b"x", "tokens": 512}, {"API-Key": "***", "tokens": 512}),
        ([{"a": ["password=x"]}, None, 1.5], [{"a": ["password=***"]}, None, 1.5]),
        ({"tokens": ["a", "b"]}, {"tokens": ["***", "***"]}),
    ],
)
def test_texts_inside_a_value_are_masked(value: Any, masked: Any) -> None:
    assert masking.mask_value(value) == masked


# What would take a pattern that backtracks minutes or years; a test that hangs here has found one.
BLOWN_UP = [
    "a", "token", "token=", "-", "--token", "://a:", "http://a@", "password='", 'password="\\', "eyJ-",
    "eyJaaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "bearer ", "authorization:", "&key=", "secrets      ",
    "token\\'", "@://",
]  # fmt: skip


@pytest.mark.parametrize("part", BLOWN_UP)
def test_a_megabyte_of_anything_is_masked(part: str) -> None:
    assert masking.mask(part * (1_000_000 // len(part)))


@given(st.text(st.sampled_from("pwd=:'\"\\ \n@/?#-,sigAKA") | st.characters(codec=None)))
def test_any_text_can_be_masked(text: str) -> None:
    masking.mask(text)
