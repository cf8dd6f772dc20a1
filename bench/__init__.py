"""The benchmarks: our server and its peers, measured side by side on one machine. See docs/performance.md."""
