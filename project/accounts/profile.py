"""What others see of a user: the form of the account page, and the view of the pictures."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from project.accounts import conf
from project.accounts.focus import FocusedForm
from project.accounts.models import NAME_TAKEN, Picture, User
from project.accounts.pictures import check_bytes, make_webp, set_picture
from project.accounts.shown_names import SHOWN_NAME_CHARS, STATUS_CHARS

# Private: only signed-in users see it, so no shared cache may keep it. Another picture has another address.
HEADERS = (
    ("Cache-Control", "private, max-age=31536000, immutable"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("X-Content-Type-Options", "nosniff"),
)


class ProfileForm(FocusedForm, forms.ModelForm):  # type: ignore[type-arg]
    """Display name, status line and picture."""

    opens_focused = False
    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp,image/gif"}),
        help_text=_("JPEG, PNG, WebP or GIF. It is cut to a square."),
    )
    remove_picture = forms.BooleanField(required=False, label=_("Remove the picture"))

    class Meta:
        model = User
        fields = ["shown_name", "shown_status"]
        labels = {"shown_name": _("Display name"), "shown_status": _("Status")}
        help_texts = {"shown_name": _("Empty: others see your user name. You always sign in with the user name.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"label_suffix": "", "auto_id": "id_profile_%s"})
        for name, chars in (("shown_name", SHOWN_NAME_CHARS), ("shown_status", STATUS_CHARS)):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "maxlength": chars}
        self.fields["picture"].widget.attrs["data-max-bytes"] = conf.settings().picture_upload_bytes
        if not self.instance.shown_picture:
            del self.fields["remove_picture"]

    def clean_picture(self) -> bytes | None:
        """The WebP of a chosen file."""
        file = self.cleaned_data.get("picture")
        if file is None:
            return None
        check_bytes(file.size)
        return make_webp(file)

    def save_profile(self) -> bool:
        """Save a valid form. False, with an error on the form: somebody has just taken the name."""
        user = self.instance
        picture, fields = self.cleaned_data.get("picture"), ["shown_name", "shown_status"]
        try:
            with transaction.atomic():
                User.objects.select_for_update().get(pk=user.pk)  # Two uploads at once: row and picture agree.
                if picture is not None or self.cleaned_data.get("remove_picture"):
                    set_picture(user, picture)
                    fields.append("shown_picture")
                user.save(update_fields=fields)
        except IntegrityError:
            self.add_error("shown_name", ValidationError(NAME_TAKEN, code="unique"))
            return False
        return True


@require_safe
def picture(request: HttpRequest, digest: str) -> HttpResponse:
    """The picture with this hash, for signed-in users."""
    if not request.user.is_authenticated:
        return HttpResponse(status=403)
    webp = Picture.objects.filter(digest=digest).values_list("webp", flat=True).first()
    if webp is None:
        raise Http404
    etag = f'"{digest}"'
    is_known = etag in request.headers.get("If-None-Match", "")
    response = HttpResponse(status=304) if is_known else HttpResponse(bytes(webp), content_type="image/webp")
    for name, value in (*HEADERS, ("ETag", etag)):
        response.headers[name] = value
    return response
