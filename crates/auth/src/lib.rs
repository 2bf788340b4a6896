//! SASL mechanisms as state machines, stored credentials and the trait that answers for them.
