"""The accounts' tunables. A leaf: imports nothing of the accounts."""

from typing import Annotated

from hubbub.conf import Tunables, bounds


class Accounts(Tunables, frozen=True, kw_only=True):
    """The accounts' tunables."""

    login_attempts_seconds: Annotated[
        int,
        bounds(
            1,
            86_400,
            "The time within which tries to sign in or up are counted; who tried too often waits for its end.",
        ),
    ] = 300
    login_attempts_per_account_and_address: Annotated[
        int,
        bounds(
            1,
            100_000,
            (
                "Failed tries to sign in to one account from one address, or from a browser that has signed in to "
                "it before."
            ),
        ),
    ] = 10
    login_attempts_per_address: Annotated[
        int, bounds(1, 100_000, "Failed tries to sign in from one address: an office may share one.")
    ] = 50
    login_attempts_per_account: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            ("Failed tries to sign in to one account from anywhere; browsers that have signed in to it before go on."),
        ),
    ] = 100
    sign_up_attempts_per_address: Annotated[
        int, bounds(1, 100_000, "Tries to make an account from one address: each tells whether a name is taken.")
    ] = 20
    password_attempts: Annotated[
        int, bounds(1, 100_000, "Wrong present passwords on the account page, and in the admin, for one session.")
    ] = 10
    reset_link_seconds: Annotated[
        int, bounds(300, 604_800, "How long a link to set a new password can be used, once.")
    ] = 86_400
    reset_mails_seconds: Annotated[
        int, bounds(1, 86_400, "The time within which mails with such a link are counted.")
    ] = 3600
    reset_mails_per_email: Annotated[
        int, bounds(1, 1000, "Mails with such a link that may be asked for one email address: nobody is flooded.")
    ] = 3
    reset_mails_per_address: Annotated[
        int, bounds(1, 100_000, "Mails with such a link that may be asked for from one address.")
    ] = 20
    reset_mails_waiting: Annotated[
        int, bounds(1, 10_000, "Mails that may wait for the mail server in one process; one more is answered with 503.")
    ] = 100
    password_hashes: Annotated[int, bounds(1, 64, "Password hashes that one process makes at once.")] = 2
    password_hashes_waiting: Annotated[
        int, bounds(0, 1000, "Forms that may wait for a hash in one process; one more is answered with 503.")
    ] = 12
    expired_sessions_seconds: Annotated[
        float,
        bounds(
            1,
            86_400,
            ("Time between two looks for expired sessions in one process; those found are deleted, 200 at a time."),
        ),
    ] = 600.0
    password_seconds: Annotated[float, bounds(0.1, 60, "How long a form waits for its hash to begin; then 503.")] = 5.0


def settings() -> Accounts:
    """The accounts' tunables in force: `settings.ACCOUNTS`, or the defaults."""
    from django.conf import settings as django_settings

    configured: Accounts = getattr(django_settings, "ACCOUNTS", None) or Accounts()
    return configured
