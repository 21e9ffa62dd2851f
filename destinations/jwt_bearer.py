"""OAuth 2 with a key pair in place of a secret: the client signs who it is, and the server holds the other half of the key.

The signature stands here and not among the other forms of credential, so that only who uses it loads the cryptography.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, Field, SecretStr

from destinations.auth import Assertion

KEY_BITS_MIN = 2048
"""What RS256 demands (RFC 7518, 3.3)."""


def _signing(key: SecretStr) -> SecretStr:
    try:
        found = load_pem_private_key(key.get_secret_value().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("must be a private key in PEM, without a password") from None
    if not isinstance(found, RSAPrivateKey) or found.key_size < KEY_BITS_MIN:
        raise ValueError(f"must be an RSA key of at least {KEY_BITS_MIN} bits")
    return key


class JwtBearer(Assertion):
    """A JWT that ``client_id`` signs for ``user`` (RFC 7523, 2.1); ``audience`` is what the server calls itself."""

    client_id: str
    user: str
    audience: str
    private_key: Annotated[SecretStr, AfterValidator(_signing)]
    life_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """How long the server may take it, also where the two clocks disagree."""

    grant_type: ClassVar[str] = "urn:ietf:params:oauth:grant-type:jwt-bearer"

    def secret(self) -> str:
        return self.private_key.get_secret_value()

    def asserted(self, now: datetime) -> str:
        seconds = int(now.timestamp())
        claims: dict[str, str | int] = {
            "iss": self.client_id,
            "sub": self.user,
            "aud": self.audience,
            "exp": seconds + self.life_seconds,
        }
        signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}"
        key = load_pem_private_key(self.secret().encode(), password=None)
        assert isinstance(key, RSAPrivateKey), "the config was judged"
        return f"{signed}.{_text(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(said: Mapping[str, str | int]) -> str:
    return _text(orjson.dumps(said))


def _text(content: bytes) -> str:
    """Base64 as RFC 7515 writes it, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
