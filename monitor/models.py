"""The permission to see the dashboard. No table."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Dashboard(models.Model):
    class Meta:
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboards")
        managed = False
        default_permissions = ()
        permissions = [("view_dashboard", "Can see the live dashboard")]
