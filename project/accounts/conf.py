"""The accounts' tunables. A leaf: imports nothing of the accounts."""

from typing import Annotated

from hubbub.conf import Section, Tunables, bounds


class Accounts(Tunables, frozen=True, kw_only=True):
    """The accounts' tunables."""

    login_attempts_seconds: Annotated[
        int,
        bounds(
            1,
            86_400,
            "The window in which sign-in and sign-up attempts are counted.",
        ),
    ] = 300
    login_attempts_per_account_and_address: Annotated[
        int,
        bounds(
            1,
            100_000,
            "Failed sign-ins to one account from one address, or from a known browser of the account.",
        ),
    ] = 10
    login_attempts_per_address: Annotated[
        int, bounds(1, 100_000, "Failed sign-ins from one address; offices share an address.")
    ] = 50
    login_attempts_per_account: Annotated[
        int,
        bounds(
            1,
            1_000_000,
            "Failed sign-ins to one account from all addresses; known browsers are exempt.",
        ),
    ] = 100
    sign_up_attempts_per_address: Annotated[
        int, bounds(1, 100_000, "Sign-ups from one address, failed or not: each shows whether a name is taken.")
    ] = 20
    password_attempts: Annotated[
        int, bounds(1, 100_000, "Wrong current passwords on the account page and in the admin, per session.")
    ] = 10
    reset_link_seconds: Annotated[
        int, bounds(300, 604_800, "Lifetime of a link to set a new password; it works once.")
    ] = 86_400
    reset_mails_seconds: Annotated[
        int, bounds(1, 86_400, "The window in which mails with such a link are counted.")
    ] = 3600
    reset_mails_per_email: Annotated[
        int, bounds(1, 1000, "Mails with such a link to one email address, to prevent floods.")
    ] = 3
    reset_mails_per_address: Annotated[
        int, bounds(1, 100_000, "Mails with such a link requested from one IP address.")
    ] = 20
    reset_mails_waiting: Annotated[
        int, bounds(1, 10_000, "Mails queued for the mail server in one process; more get 503.")
    ] = 100
    password_hashes: Annotated[int, bounds(1, 64, "Password hashes that one process computes at once.")] = 2
    password_hashes_waiting: Annotated[
        int, bounds(0, 1000, "Forms queued for a hash in one process; more get 503.")
    ] = 12
    picture_upload_bytes: Annotated[
        int,
        bounds(64 * 1024, 100_000_000, "Largest file of a picture that users upload; below `HUBBUB_REQUEST_BYTES`."),
    ] = 2_500_000
    picture_pixels: Annotated[
        int, bounds(10_000, 100_000_000, "Most pixels of a picture; each takes 4 bytes of memory while it is decoded.")
    ] = 25_000_000
    picture_decodes: Annotated[int, bounds(1, 64, "Pictures that one process decodes at once; others wait.")] = 2
    expired_sessions_seconds: Annotated[
        float,
        bounds(
            1,
            86_400,
            "Time between two deletions of expired sessions in one process, 200 per query.",
        ),
    ] = 600.0
    password_seconds: Annotated[float, bounds(0.1, 60, "A form whose hash has not begun after this time gets 503.")] = (
        5.0
    )


settings = Section("ACCOUNTS", Accounts)
