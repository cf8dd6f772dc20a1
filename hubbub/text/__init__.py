"""Names that users see, and other text of theirs: rules, normal forms, and keys of names that look alike."""

from hubbub.text.confusables import fold_name, name_key, shown_key
from hubbub.text.marks import MAX_MARKS, has_endless_marks
from hubbub.text.names import is_reserved, normalize_name, validate_name, validate_user_name
from hubbub.text.natural import natural_key

__all__ = [
    "MAX_MARKS",
    "fold_name",
    "has_endless_marks",
    "is_reserved",
    "name_key",
    "natural_key",
    "normalize_name",
    "shown_key",
    "validate_name",
    "validate_user_name",
]

# Migrations name validators by their module, and the modules below this one are private.
validate_name.__module__ = validate_user_name.__module__ = __name__
