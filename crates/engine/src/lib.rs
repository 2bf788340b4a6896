//! Entities, effects, the rule that nothing leaves before what it depends on is durable, batches and gates.
