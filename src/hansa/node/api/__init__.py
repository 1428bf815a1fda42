"""The HTTP API: JSON under `/v1`, MessagePack on the lean path, problem+json for errors."""
