//! RFC 6121 between people whose accounts and clients are at different members of a cluster: what each client gets of
//! what is done, and that it gets nothing else. The entities' own tests have the rules in full; here all of it goes over
//! streams and links, and no client is at the member of its account.

mod delivery;
mod presence;
mod roster;
mod scene;
mod subscriptions;

use scene::{Accounts, MEMBERS, Scene};
use stentor_cluster_tests::accounts;
use stentor_cluster_tests::server;

type Result<T = ()> = std::result::Result<T, String>;

/// Enough that each member has some that nobody has used, wherever they fall.
const ACCOUNTS: u32 = 60;

/// What is played, each among people of its own.
const PLAYS: &[fn(&mut Scene<'_>) -> Result] =
    &[roster::play, subscriptions::play, presence::play, delivery::play];

#[test]
fn people_at_different_members() -> Result {
    let Some(mut cluster) = server::cluster(&MEMBERS)? else { return Ok(()) };
    cluster.restore(&accounts::backup(ACCOUNTS, 1)?)?;
    cluster.start(&MEMBERS)?;
    let mut accounts = Accounts::of(&cluster, ACCOUNTS)?;
    for play in PLAYS {
        play(&mut Scene::new(&cluster, &mut accounts)?).unwrap_or_else(|error| panic!("{error}"));
    }
    Ok(())
}
