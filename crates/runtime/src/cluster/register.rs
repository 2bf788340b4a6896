//! The thread that asks the register: it waits for the store, so that nobody else does.

use super::Input;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use stentor_cluster::Question;
use stentor_engine::{RegisterReply, RegisterRequest};
use stentor_store::Register;
use tokio::sync::mpsc::UnboundedSender;

/// Starts it. Each question that it is given has one answer; it ends when nobody can ask any more. A steward has one
/// question of each kind under way, so few wait.
pub(super) fn start(
    mut register: Box<dyn Register>,
    inputs: UnboundedSender<Input>,
) -> io::Result<(mpsc::Sender<RegisterRequest>, JoinHandle<()>)> {
    let (ask, asked) = mpsc::channel::<RegisterRequest>();
    let run = move || {
        for request in asked {
            let answer = catch_unwind(AssertUnwindSafe(|| register.ask(&request)));
            let reply = answer.unwrap_or_else(|_| RegisterReply::Failed("the register panicked".to_owned()));
            if let RegisterReply::Failed(why) = &reply {
                tracing::warn!(why, "the store did not answer about the cluster");
            }
            if inputs.send(Input::Answered(Question::from(&request), reply)).is_err() {
                return;
            }
        }
    };
    let thread = Builder::new().name("stentor-register".to_owned()).spawn(run)?;
    Ok((ask, thread))
}
