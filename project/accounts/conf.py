"""The accounts' tunables. A leaf: imports nothing of the accounts."""

from dataclasses import dataclass

from hubbub.conf import tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The accounts' tunables."""

    login_attempts_seconds: int = tunable(
        300,
        "The time within which tries to sign in or up are counted; who tried too often waits for its end.",
        low=1,
        high=86_400,
    )
    login_attempts_per_account_and_address: int = tunable(
        10,
        "Failed tries to sign in to one account from one address, or from a browser that has signed in to it before.",
        low=1,
        high=100_000,
    )
    login_attempts_per_address: int = tunable(
        50, "Failed tries to sign in from one address: an office may share one.", low=1, high=100_000
    )
    login_attempts_per_account: int = tunable(
        100,
        "Failed tries to sign in to one account from anywhere; browsers that have signed in to it before go on.",
        low=1,
        high=1_000_000,
    )
    sign_up_attempts_per_address: int = tunable(
        20, "Tries to make an account from one address: each tells whether a name is taken.", low=1, high=100_000
    )
    password_attempts: int = tunable(
        10, "Wrong present passwords on the account page, and in the admin, for one session.", low=1, high=100_000
    )
    reset_link_seconds: int = tunable(
        86_400, "How long a link to set a new password can be used, once.", low=300, high=604_800
    )
    reset_mails_seconds: int = tunable(
        3600, "The time within which mails with such a link are counted.", low=1, high=86_400
    )
    reset_mails_per_email: int = tunable(
        3, "Mails with such a link that may be asked for one email address: nobody is flooded.", low=1, high=1000
    )
    reset_mails_per_address: int = tunable(
        20, "Mails with such a link that may be asked for from one address.", low=1, high=100_000
    )
    reset_mails_waiting: int = tunable(
        100,
        "Mails that may wait for the mail server in one process; one more is answered with 503.",
        low=1,
        high=10_000,
    )
    password_hashes: int = tunable(2, "Password hashes that one process makes at once.", low=1, high=64)
    password_hashes_waiting: int = tunable(
        12, "Forms that may wait for a hash in one process; one more is answered with 503.", low=0, high=1000
    )
    expired_sessions_seconds: float = tunable(
        600.0,
        "Time between two looks for expired sessions in one process; those found are deleted, 200 at a time.",
        low=1,
        high=86_400,
    )
    password_seconds: float = tunable(5.0, "How long a form waits for its hash to begin; then 503.", low=0.1, high=60)


def settings() -> Accounts:
    """The accounts' tunables in force: `settings.ACCOUNTS`, or the defaults."""
    from django.conf import settings as django_settings

    configured: Accounts = getattr(django_settings, "ACCOUNTS", None) or Accounts()
    return configured
