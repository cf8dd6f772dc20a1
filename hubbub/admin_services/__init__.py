"""Base classes of admin pages whose rows are written by services, with actions on many rows."""

from hubbub.admin_services.base import ServiceAdmin, has_user_search, user_search_fields, user_widget
from hubbub.admin_services.bulk import NAMED_ROWS, BulkAdmin, OtherResult
from hubbub.admin_services.links import link_to, link_to_list

__all__ = [
    "NAMED_ROWS",
    "BulkAdmin",
    "OtherResult",
    "ServiceAdmin",
    "has_user_search",
    "link_to",
    "link_to_list",
    "user_search_fields",
    "user_widget",
]
