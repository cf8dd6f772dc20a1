from django.contrib import admin

from polls.models import Option, Poll


class OptionInline(admin.TabularInline):
    model = Option


@admin.register(Poll)
class PollAdmin(admin.ModelAdmin):
    inlines = [OptionInline]
