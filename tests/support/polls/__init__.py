"""An app of its own for tests of topics: polls (a state), boards (a log), and a consumer for both."""
