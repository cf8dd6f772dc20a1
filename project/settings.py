"""Settings, all from environment variables. docs/settings.md lists them; a test compares both."""

import os
from pathlib import Path

from chat.conf import Chat
from hubbub.conf import Hubbub
from hubbub.supervisor.private_redis import socket_path
from monitor.conf import Monitor
from project import env, mail
from project.accounts.conf import Accounts
from project.env import gettext_noop
from project.page_policy import WITHOUT_TRUSTED_TYPES
from project.tunables import check_known, env_names, from_env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("HUBBUB_VAR", BASE_DIR / "var")).resolve()

SECRET_KEY = env.read_secret_key(VAR_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.read_former_keys("SECRET_KEY_FALLBACKS")
DEBUG = env.read_bool("DEBUG", False)
ALLOWED_HOSTS = env.read_hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.read_origins("CSRF_TRUSTED_ORIGINS")
SIGN_UP_OPEN = env.read_bool("HUBBUB_SIGN_UP", True)

HUBBUB = from_env(Hubbub, os.environ) | {
    # The default is the private Redis that `manage.py up` and `runserver` start.
    "REDIS_URL": env.read_redis_url("REDIS_URL", f"unix://{socket_path(VAR_DIR)}"),
    # Of channels and keys in Redis; without it, an id in the database.
    "PREFIX": env.read_prefix("HUBBUB_PREFIX"),
    "TRUSTED_PROXIES": env.read_proxies("HUBBUB_TRUSTED_PROXIES"),
    # With their descriptions in the admin.
    "TOKEN_SCOPES": {
        "chat.read": gettext_noop("Read rooms and their messages."),
        "chat.write": gettext_noop("Post, edit and delete messages."),
        "monitor.read": gettext_noop("Watch the dashboard, if its user may."),
    },
    "PROGRAMS": {"publisher": ["publish_metrics"]},
    "FIRST_ADMIN": env.read_bool("HUBBUB_FIRST_ADMIN", True),
    "VAR_DIR": VAR_DIR,
}
CHAT = from_env(Chat, os.environ) | {"SERVICE_WORKER": env.read_bool("HUBBUB_SERVICE_WORKER", True)}
MONITOR = from_env(Monitor, os.environ)
ACCOUNTS = from_env(Accounts, os.environ)
check_known(
    os.environ,
    env_names(Hubbub, Chat, Monitor, Accounts)
    | {"HUBBUB_VAR", "HUBBUB_SIGN_UP", "HUBBUB_TLS", "HUBBUB_HSTS_SECONDS", "HUBBUB_HSTS_SUBDOMAINS", "HUBBUB_PROCESS"}
    | {"HUBBUB_TRUSTED_PROXIES", "HUBBUB_RESTARTS", "HUBBUB_SILENT_RESTARTS", "HUBBUB_HOST_NAME"}
    | {"HUBBUB_PREFIX", "HUBBUB_LOG_FORMAT", "HUBBUB_FIRST_ADMIN", "HUBBUB_EMAIL_URL", "HUBBUB_EMAIL_FROM"}
    | {"HUBBUB_TOKEN"}  # Of the command line of hubbub.client.
    | {"HUBBUB_SITE_URL", "HUBBUB_DATABASE_CONNECTIONS", "HUBBUB_SERVICE_WORKER"},
)

# The project's apps come first: their templates and commands (runserver) replace those of Django and daphne.
INSTALLED_APPS = [
    "project",
    "project.accounts",
    "hubbub",
    "hubbub.supervisor",
    "chat",
    "monitor",
    "chaos",
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "project.middleware.security_headers",
    "project.middleware.no_store",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "project.middleware.no_nul",
    "project.middleware.utf8_forms",
    "project.static_files.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "project.middleware.keep_session_key",
    "project.accounts.ended.store_reason",
    "project.accounts.choices.apply_choices",
    "project.accounts.browsers.record_browsers",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# A process keeps 10 of them for its sockets, by default; pages share the rest.
DATABASE_CONNECTIONS = env.read_int("HUBBUB_DATABASE_CONNECTIONS", 16, low=2, high=1000)
DATABASES = {"default": env.read_database("DATABASE_URL", VAR_DIR / "hubbub.sqlite3", connections=DATABASE_CONNECTIONS)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CHANNEL_LAYERS = {"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}

AUTH_USER_MODEL = "accounts.User"
# Django's hashers, with a limit on concurrent hashes.
PASSWORD_HASHERS = [
    f"project.accounts.hashing.{name}" for name in ("PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "Scrypt")
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CSRF_FAILURE_VIEW = "project.accounts.stale_forms.form_refused"
PASSWORD_RESET_TIMEOUT = ACCOUNTS["RESET_LINK_SECONDS"]
SITE_URL = env.read_site_url("HUBBUB_SITE_URL")
EMAIL = env.read_mail_server("HUBBUB_EMAIL_URL", SITE_URL)
EMAIL_HOST_IS_SET = bool(EMAIL)
globals().update(mail.mail_settings(EMAIL))
DEFAULT_FROM_EMAIL = os.environ.get("HUBBUB_EMAIL_FROM", "hubbub@localhost")
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "chat:lobby"
LOGOUT_REDIRECT_URL = "sign-in"

# Messages end with the session. In a cookie, Django's default, the next user of the browser could see them.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]  # Each in its own language, as people choose them.
LANGUAGE_COOKIE_NAME = "hubbub_language"  # Of visitors.
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "project.static_storage.StaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 60  # For files without a hash in their name; hashed ones are cached for ever.

# For TLS set HUBBUB_TLS and HUBBUB_TRUSTED_PROXIES, and let the proxy set X-Forwarded-Proto on every request.
# hubbub.asgi sets the scheme from it. SECURE_PROXY_SSL_HEADER is not set: Django would trust that header from any peer.
TLS = env.read_bool("HUBBUB_TLS", False)
SECURE_SSL_REDIRECT = TLS
SESSION_COOKIE_SECURE = TLS
CSRF_COOKIE_SECURE = TLS
CSRF_COOKIE_HTTPONLY = True  # Pages take the token from their forms; no script needs the cookie.
HSTS_SECONDS = env.read_int("HUBBUB_HSTS_SECONDS", 31536000, low=0, high=10 * 31536000)
SECURE_HSTS_SECONDS = HSTS_SECONDS if TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.read_bool("HUBBUB_HSTS_SUBDOMAINS", False)
# HSTS for subdomains is a deliberate choice of the operator, so its warnings are off.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
X_FRAME_OPTIONS = "DENY"
# Changes of the strict policy in project/page_policy.py, by the path of the pages. Add those of your own pages here.
PAGE_POLICIES = {"/admin/": WITHOUT_TRUSTED_TYPES}
SECURE_REFERRER_POLICY = "same-origin"

# See project/logs.py: lines have a time and a process, and are bounded in length and number.
LOG_FORMATS = {"text": "Line", "json": "JsonLine"}
LOG_FORMAT = env.read_choice("HUBBUB_LOG_FORMAT", "text", LOG_FORMATS)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": f"project.logs.{LOG_FORMATS[LOG_FORMAT]}"}},
    "filters": {"brief": {"()": "project.logs.Brief"}},
    "handlers": {"console": {"class": "project.logs.BoundedHandler", "formatter": "line", "filters": ["brief"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "hubbub": {"level": "INFO"},
        "chat": {"level": "INFO"},
        "monitor": {"level": "INFO"},
        "project": {"level": "INFO"},
    },
}
