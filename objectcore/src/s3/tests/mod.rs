//! Requests through the router, compared whole.
