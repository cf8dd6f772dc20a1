"""Users in the admin: Django's own, with what they have said and where they belong."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from project.accounts.models import User
from realtime.models import AccessToken


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]
    list_display = ["username", "is_active", "is_staff", "rooms", "messages", "tokens", "last_login", "email"]
    list_filter = ["is_active", "is_staff", "is_superuser", "groups", "date_joined", "last_login"]
    search_help_text = "Search names and email addresses."

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = (
            super()
            .get_queryset(request)
            .annotate(
                room_count=_count("memberships"), message_count=_count("messages"), token_count=_count("access_tokens")
            )
        )
        return users

    @admin.display(description="member of rooms", ordering="room_count")
    def rooms(self, user: Any) -> int:
        return user.room_count  # type: ignore[no-any-return]

    @admin.display(ordering="message_count")
    def messages(self, user: Any) -> int:
        return user.message_count  # type: ignore[no-any-return]

    @admin.display(description="access tokens", ordering="token_count")
    def tokens(self, user: Any) -> int:
        return user.token_count  # type: ignore[no-any-return]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        to_delete, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Nobody may delete tokens one by one, so that their uses stay accounted for; with their user they go.
        lacking.discard(AccessToken._meta.verbose_name)
        return to_delete, counts, lacking, protected


def _count(relation: str) -> Coalesce:
    """How many rows point at a user. Not a join: several at once would multiply each other."""
    pointing: Any = User._meta.get_field(relation)
    key = pointing.field.name
    rows = pointing.related_model.objects.filter(**{key: OuterRef("pk")}).order_by().values(key)
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)
