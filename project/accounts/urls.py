"""URLs of the account pages."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from project.accounts.account import account, end_browser, revoke_token, sign_out_everywhere
from project.accounts.profile import picture
from project.accounts.resets import Reset, forgotten
from project.accounts.views import SignIn, choose_language, sign_up

urlpatterns = [
    path("", account, name="account"),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("language/<str:code>/", choose_language, name="language"),
    path("sign-up/", sign_up, name="sign-up"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("sign-out-everywhere/", sign_out_everywhere, name="sign-out-everywhere"),
    path("browsers/<int:record_id>/end/", end_browser, name="end-browser"),
    path("tokens/<int:token_id>/revoke/", revoke_token, name="revoke-token"),
    path("pictures/<str:digest>.webp", picture, name="person-picture"),
    path("forgotten/", forgotten, name="forgotten"),
    path("reset/<str:uidb64>/<str:token>/", Reset.as_view(), name="reset"),
]
