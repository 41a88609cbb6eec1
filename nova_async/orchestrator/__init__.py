"""A cascade, a few workers at a time: order, retries, verification, durable state, resume."""
