"""Sign-in of a project's own; docs/sign-in.md shows how. All else in this package is private."""

from hubbub.auth.authenticator import ANONYMOUS, Authenticator, SignIn, SignInRequest, credentials_changed

__all__ = ["ANONYMOUS", "Authenticator", "SignIn", "SignInRequest", "credentials_changed"]
