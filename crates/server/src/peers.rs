//! What members of a cluster ask each other on behalf of an operator, as JSON.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_runtime::Administration;
use stentor_xmpp::BareJid;

use crate::control::{ControlError, ControlErrorKind};
use crate::limits::LOADED_PAGE;

/// A member of an older version has no answer to what it does not know.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Question {
    /// See [`Administration::loaded`]; the answer is a list of addresses.
    Loaded { after: Option<String>, limit: usize },
}

/// Answers another member.
pub(crate) fn answer(
    administration: Administration,
    question: Bytes,
) -> Pin<Box<dyn Future<Output = Bytes> + Send>> {
    Box::pin(async move {
        let Ok(Question::Loaded { after, limit }) = serde_json::from_slice(&question) else {
            return Bytes::new();
        };
        let after = after.and_then(|after| BareJid::parse(&after).ok());
        let users = administration.loaded(after, limit.min(LOADED_PAGE)).await;
        let users: Vec<_> = users.iter().map(BareJid::to_string).collect();
        serde_json::to_vec(&users).unwrap_or_default().into()
    })
}

/// The same of all members: users that are loaded somewhere, behind `after`, at most `limit` of them and
/// [`LOADED_PAGE`]; fewer means that there are no more. Whoever has a session is among them, unless his slot moves just
/// now.
///
/// # Errors
/// A member does not answer: who is there is not known.
pub(crate) async fn loaded(
    administration: &Administration,
    after: Option<BareJid>,
    limit: usize,
) -> Result<Vec<BareJid>, ControlError> {
    let question = Question::Loaded { after: after.as_ref().map(BareJid::to_string), limit };
    let question = serde_json::to_vec(&question).unwrap_or_default();
    let mut users: BTreeSet<_> = administration.loaded(after, limit).await.into_iter().collect();
    for (name, answer) in administration.ask_members(question.into()).await {
        let there = answer.and_then(|answer| serde_json::from_slice::<Vec<String>>(&answer).ok());
        let there = there.ok_or_else(|| {
            let message = format!("the member {name} does not answer; try again once it does, or is gone");
            ControlError::new(ControlErrorKind::Unavailable, message)
        })?;
        users.extend(there.iter().filter_map(|user| BareJid::parse(user).ok()));
    }
    Ok(users.into_iter().take(limit).collect())
}
