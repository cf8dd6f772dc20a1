"""A form that notifies a user. Saving the row is all that it does."""

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from bell.models import Notification
from bell.topics import BellTopic


@login_required
def notify(request: HttpRequest) -> HttpResponse:
    users = get_user_model().objects.order_by("pk")
    if request.method == "POST":
        user = get_object_or_404(users, pk=request.POST.get("user"))
        Notification.objects.create(user=user, text=request.POST.get("text", "")[:200])
        return redirect("bell")
    return render(request, "bell/bell.html", {"users": users, "topic": BellTopic(request.user.pk).address})
