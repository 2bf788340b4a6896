//! Listeners and the session actor: TCP, TLS, client streams.
