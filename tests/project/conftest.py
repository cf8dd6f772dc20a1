from tests.pages import plain_static  # noqa: F401
from tests.personas import alice, lounge, root  # noqa: F401
