//! Credentials from the store, read at the session's own member; no user is started for them.

use crate::start::Shared;
use std::sync::Arc;
use stentor_auth::{Credential, Credentials, Fault, Found, Lookup};
use stentor_engine::{Key, Query, Rows};
use stentor_entities::user::{CREDENTIALS, collection};
use stentor_store::Question;
use stentor_xmpp::BareJid;
use tokio::sync::oneshot;

/// Answers from the accounts' records.
#[derive(Clone)]
pub struct StoreCredentials {
    shared: Arc<Shared>,
}

impl StoreCredentials {
    /// Of this runtime's store.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Credentials for StoreCredentials {
    fn credential(&self, account: &BareJid) -> Lookup {
        let (answer, answered) = oneshot::channel();
        let reply = Box::new(move |rows: Vec<Rows>| {
            // Parsed here, on a reader's thread. A session that is gone does not want it any more.
            let _ = answer.send(read(rows));
        });
        let queries = vec![Query::Record { collection: collection::ACCOUNT, key: CREDENTIALS.into() }];
        let question = Question { arbiter: u16::MAX, owner: Key::User(account.clone()), queries, reply };
        let asked = self.shared.store.query(question).map_err(|(why, _)| why);
        Box::pin(async move {
            asked.map_err(|why| Fault::new(why.to_string()))?;
            answered.await.map_err(|_| Fault::new("the store gave no answer"))?
        })
    }
}

fn read(rows: Vec<Rows>) -> Result<Found, Fault> {
    match rows.into_iter().next() {
        Some(Rows::Record(None)) => Ok(Found::nobody()),
        Some(Rows::Record(Some(record))) => {
            let json = std::str::from_utf8(&record.value).map_err(|error| Fault::new(error.to_string()))?;
            Credential::from_json(json).map(Found::Account).map_err(|error| Fault::new(error.to_string()))
        }
        Some(Rows::Failed(why)) => Err(Fault::new(why)),
        _ => Err(Fault::new("the store gave another answer")),
    }
}
