"""Sign-ins of a project's own: a table of tokens as Django REST framework has it, and JWTs by HS256."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model

from hubbub.auth import ANONYMOUS, Authenticator, SignIn
from tests.support.polls.models import ApiToken


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signature(text: str) -> str:
    return packed(hmac.digest(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256))


def make_jwt(user_id: str, seconds: float) -> str:
    """A token of the user that expires after so many seconds."""
    claims = {"sub": user_id, "exp": time.time() + seconds, "jti": uuid4().hex}
    header = packed(b'{"alg": "HS256"}')
    text = f"{header}.{packed(json.dumps(claims).encode())}"
    return f"{text}.{signature(text)}"


def read_jwt(token: str) -> dict[str, Any] | None:
    text, _, sent = token.rpartition(".")
    if not hmac.compare_digest(sent.encode(), signature(text).encode()):
        return None
    body = text.partition(".")[2]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


class TokenSignIn(Authenticator):
    def from_token(self, token: str) -> SignIn | None:
        found = ApiToken.objects.select_related("user").filter(key=token).first()
        return found and SignIn(found.user, credential=found.key)

    def renew(self, credentials: Collection[str]) -> Collection[str]:
        return ApiToken.objects.filter(key__in=credentials).values_list("key", flat=True)


class SiteSignIn(TokenSignIn):
    """JWTs by cookie or message, tokens of the table, and anonymous visitors."""

    def from_request(self, request: Any) -> Any:
        return self.by_jwt(request.cookies.get("jwt", "")) or ANONYMOUS

    def from_token(self, token: str) -> Any:
        return ANONYMOUS if token == "" else self.by_jwt(token) or super().from_token(token)

    def by_jwt(self, token: str) -> SignIn | None:
        claims = read_jwt(token)
        user = claims and get_user_model().objects.filter(pk=claims["sub"]).first()
        return user and SignIn(user, expires_at=claims["exp"])
