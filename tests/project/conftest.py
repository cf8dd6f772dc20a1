from tests.pages import plain_static  # noqa: F401
from tests.personas import root  # noqa: F401
