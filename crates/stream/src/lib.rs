//! Client-to-server stream negotiation: bytes in, actions out.
