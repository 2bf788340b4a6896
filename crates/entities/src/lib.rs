//! The users: roster, presence, delivery, stream management; one module per specification.

pub mod user {
    //! The user.
    pub mod rfc_6121_subscription;
}
