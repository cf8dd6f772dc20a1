"""System checks: settings that work in a trial but fail or are insecure in production. docs/settings.md lists them."""

from hubbub.checks.connections import check_server_connections
from hubbub.checks.redis import LAYERS
from hubbub.checks.serving import application_refusal, check_address, check_descriptors, check_serving, is_public
from hubbub.checks.settings import require_settings, start_refusal
from hubbub.checks.site import missing_apps

__all__ = [
    "LAYERS",
    "application_refusal",
    "check_address",
    "check_descriptors",
    "check_server_connections",
    "check_serving",
    "is_public",
    "missing_apps",
    "require_settings",
    "start_refusal",
]
