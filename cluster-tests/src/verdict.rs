//! What must hold of a failover: by the load's report, and by what stands in the store afterwards.

use crate::accounts;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a client that lost its connection is to come back.
pub const RESUMED: &str = "resumed";
/// With what the server had handled.
pub const FAILED: &str = "failed with h";

/// Nothing was lost, doubled, late or made up, and clients came back as `expected`, by account, all others never having
/// lost their connection. Contacts were told of who stayed away, and nobody is left with a wrong presence.
pub fn holds(report: &Value, expected: &BTreeMap<u32, &str>) -> Result<(), String> {
    let at = |pointer: &str| report.pointer(pointer).cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    let mut check = |what: &str, expected: Value| {
        if at(what) != expected {
            wrong.push(format!("{what} is {}, not {expected}", at(what)));
        }
    };
    for fault in ["lost", "doubled", "out_of_order", "corrupted", "refused", "unacknowledged"] {
        check(&format!("/check/{fault}"), json!(0));
    }
    check("/check/received", at("/check/sent"));
    check("/failed_logins", json!(0));
    check("/errors", json!({}));
    check("/failover/affected", json!(expected.len()));
    check("/failover/connections_lost", json!(expected.len()));
    for count in ["failed_without_h", "impossible_h"] {
        check(&format!("/failover/{count}"), json!(0));
    }
    let told = "/failover/unavailable";
    // What else contacts are told of clients that are there stands in the report, and is not judged.
    check(&format!("{told}/away/never"), json!(0));
    check(&format!("{told}/last"), json!(0));
    let returns = at("/failover/returns");
    let of_others = returns.as_object().into_iter().flatten();
    for (jid, how) in
        of_others.filter(|(jid, _)| !expected.keys().any(|number| accounts::jid(*number) == **jid))
    {
        wrong.push(format!("{jid} came back: {how}"));
    }
    for (number, how) in expected {
        let jid = accounts::jid(*number);
        let came = returns.get(&jid).cloned().unwrap_or_default();
        if came != json!([how]) {
            wrong.push(format!("{jid} came back {came}, not {how}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{report:#}", wrong.join("\n"))) }
}

/// Of all messages that loads sent: which stand in whose log how often, and in which order.
#[derive(Debug, Default)]
pub struct Archives {
    /// By owner and sender: the numbers of the messages, in the order of the log.
    numbers: BTreeMap<(String, String), Vec<u64>>,
}

impl Archives {
    /// Of a backup's lines.
    pub fn new(backup: &[Value]) -> Self {
        let mut archives = Self::default();
        for entry in backup.iter().filter_map(|line| line.get("entry")) {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            // load-RUN-SENDER-STREAM-NUMBER
            let Some(name) = text("value").split("id='load-").nth(1).and_then(|rest| rest.split('\'').next())
            else {
                continue;
            };
            if let Some((sender, number)) = name.rsplit_once('-') {
                let number = number.parse().unwrap_or(u64::MAX);
                let key = (text("owner").to_owned(), sender.to_owned());
                archives.numbers.entry(key).or_default().push(number);
            }
        }
        archives
    }

    /// Each of that many messages stands once in the archive of its sender and once in that of its recipient, in the
    /// order in which it was sent.
    pub fn hold(&self, messages: u64) -> Result<(), String> {
        for ((owner, sender), numbers) in &self.numbers {
            if !numbers.iter().copied().eq(0..numbers.len() as u64) {
                return Err(format!("the archive of {owner} has of {sender}: {numbers:?}"));
            }
        }
        let count: usize = self.numbers.values().map(Vec::len).sum();
        if count as u64 == 2 * messages {
            Ok(())
        } else {
            Err(format!("{count} entries of {messages} messages"))
        }
    }
}
