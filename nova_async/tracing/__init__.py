"""A run as OpenTelemetry traces, where somebody wants that; it needs the extra ``[otel]``."""
