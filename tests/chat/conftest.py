from tests.pages import plain_static  # noqa: F401
from tests.personas import admin, alice, attic, bob, charlie, lounge, mona, root  # noqa: F401
