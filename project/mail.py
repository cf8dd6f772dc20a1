"""The mail server as settings of Django: `MAILERS` since Django 6.1, `EMAIL_…` before."""

from typing import Any

import django

SMTP = "django.core.mail.backends.smtp.EmailBackend"
TIMEOUT_SECONDS = 10


def mail_settings(server: dict[str, Any]) -> dict[str, Any]:
    """The settings for a mail server.

    Args:
        server: Its parts, from `env.read_mail_server`; empty: none.
    """
    options = {
        "host": server.get("host", ""),
        "port": server.get("port", 25),
        "username": server.get("user", ""),
        "password": server.get("password", ""),
        "use_ssl": server.get("ssl", False),
        "use_tls": server.get("starttls", False),
        "timeout": TIMEOUT_SECONDS,
    }
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": SMTP, "OPTIONS": options}}}
    user = {"EMAIL_HOST_USER": options.pop("username"), "EMAIL_HOST_PASSWORD": options.pop("password")}
    return {"EMAIL_BACKEND": SMTP, **user, **{f"EMAIL_{name.upper()}": value for name, value in options.items()}}
