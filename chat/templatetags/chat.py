"""Template tags of the chat: `{% load chat %}`."""

from django import template

from chat import conf

register = template.Library()


@register.inclusion_tag("chat/installable.html")
def installable() -> dict[str, bool]:
    """Make the page installable: its manifest, its icon, and the service worker unless CHAT["SERVICE_WORKER"] is false.

        {% block installable %}{% installable %}{% endblock %}

    It belongs into <head>.
    """
    return {"has_worker": conf.settings().service_worker}
