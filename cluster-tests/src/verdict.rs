//! What must hold of a failover, by the load's report.

use crate::accounts;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How a client that lost its connection is to come back.
pub const RESUMED: &str = "resumed";
/// With what the server had handled.
pub const FAILED: &str = "failed with h";

/// Nothing was lost, doubled, late or made up, and clients came back as `expected`, by account, all others never having
/// lost their connection. Contacts were told once of who stayed away, and of nobody else.
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
    for told in ["away/never", "away/repeatedly", "of_resumed", "of_others", "last"] {
        check(&format!("/failover/unavailable/{told}"), json!(0));
    }
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
