from django.contrib import admin
from django.forms import Script

from orders.models import Order


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["customer", "item", "is_sent"]
    list_filter = ["is_sent"]

    class Media:
        js = [Script("orders/live-list.js", type="module")]
