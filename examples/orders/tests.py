"""The list changes for users who may see orders, and for no others."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from hubbub import Refused
from hubbub.testing import connect
from orders.models import Order
from orders.topics import OrdersTopic


class OrdersTests(TestCase):
    def setUp(self) -> None:
        self.clerk, self.guest = (get_user_model().objects.create(username=name, is_staff=True) for name in "ab")
        self.clerk.user_permissions.add(Permission.objects.get(codename="view_order"))

    async def test_an_order_changes_the_list(self) -> None:
        async with connect(OrdersTopic, user=self.clerk) as page:
            order = await Order.objects.acreate(customer="Ada", item="Tea")
            self.assertEqual(await page.changed(), 1)
            await order.adelete()
            self.assertEqual(await page.changed(), 0)

    async def test_the_list_needs_its_permission(self) -> None:
        with self.assertRaises(Refused) as refused:
            async with connect(OrdersTopic, user=self.guest):
                pass
        self.assertEqual(refused.exception.code, "forbidden")

    def test_the_page_of_the_admin_loads_the_script(self) -> None:
        self.client.force_login(self.clerk)
        answer = self.client.get(reverse("admin:orders_order_changelist"))
        self.assertContains(answer, '<script src="/static/orders/live-list.js" type="module"></script>', html=True)
