"""A site with topics of two kinds, for `bench.scenarios.topics`."""
