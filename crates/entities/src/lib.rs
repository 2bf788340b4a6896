//! The users: roster, presence, delivery, stream management; one module per specification.
