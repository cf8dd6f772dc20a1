"""The list of orders has changed: open lists of the admin load themselves anew."""

from hubbub import Topic
from orders.models import Order


class OrdersTopic(Topic, name="orders"):
    """Its state is a number only. The admin's page has the rows, with its filters, pages and permissions."""

    permission = "orders.view_order"
    follows = {Order: lambda order: True}

    def state(self) -> int:
        return Order.objects.count()
