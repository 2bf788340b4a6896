//! A reader's thread: one question at a time.

use crate::backend::Reader;
use crate::queue::Queue;
use crate::store::{Arbiters, Question, shielded};
use stentor_engine::Rows;

/// Until the queue is closed and empty.
pub(crate) fn run(reader: &dyn Reader, questions: &Queue<Question>, arbiters: &Arbiters) {
    let mut taken = Vec::new();
    while let Some(refused) = questions.take(1, true, &mut taken) {
        arbiters.room(refused);
        for Question { owner, queries, reply, .. } in taken.drain(..) {
            let rows = shielded(|| reader.query(&owner, &queries)).unwrap_or_else(|| {
                queries.iter().map(|_| Rows::Failed("the engine panicked".to_owned())).collect()
            });
            shielded(|| reply(rows));
        }
    }
}
