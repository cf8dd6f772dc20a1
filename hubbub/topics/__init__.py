"""Topics: a feature declares its state, its events and its commands once. Features import from `hubbub` alone."""
