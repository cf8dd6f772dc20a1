"""Other servers, each a small program in its usual, recommended form."""
