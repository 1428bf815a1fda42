"""The composition root: settings, HTTP API, console, jobs; the only place that wires things."""
