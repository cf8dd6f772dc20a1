from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("sign-in/", LoginView.as_view(template_name="registration/sign-in.html"), name="sign-in"),
    path("sign-up/", LoginView.as_view(template_name="registration/sign-in.html"), name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("monitor/", include("monitor.urls")),
    path("", include("chat.urls")),
]
