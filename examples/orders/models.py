from django.db import models


class Order(models.Model):
    customer = models.CharField(max_length=100)
    item = models.CharField(max_length=100)
    is_sent = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.item} for {self.customer}"
