//! What administration asks of a user, and the answers.

use super::super::WireError;
use super::super::codec::{Raw, Reader, Writer};
use super::address::Peer;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stentor_engine::{Ask, Command, Reply, SessionInfo};
use stentor_xmpp::{BareJid, FullJid};

const CREATE_ACCOUNT: u8 = 1;
const SET_CREDENTIALS: u8 = 2;
const REMOVE_ACCOUNT: u8 = 3;
const ADD_CONTACT: u8 = 4;
const SESSIONS: u8 = 5;
const DESCRIBE: u8 = 6;
const KICK: u8 = 7;
const SETTLE: u8 = 8;

const DONE: u8 = 1;
const NOT_FOUND: u8 = 2;
const EXISTS: u8 = 3;
const FAILED: u8 = 4;
const SESSIONS_ARE: u8 = 5;
const ACCOUNT_IS: u8 = 6;

#[derive(Serialize, Deserialize)]
struct Head {
    ask: u64,
    what: u8,
}

#[derive(Serialize, Deserialize)]
struct Credentials<'a> {
    #[serde(borrow)]
    credentials: Raw<'a>,
    except: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct Contact<'a> {
    jid: &'a str,
    name: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Kick<'a> {
    resource: Option<&'a str>,
    text: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Session<'a> {
    jid: &'a str,
    is_connected: bool,
    priority: Option<i8>,
    is_managed: bool,
    since: u64,
    peer: Peer,
}

#[derive(Serialize, Deserialize)]
struct Account {
    contacts: u64,
    waiting: u64,
}

pub(super) fn put_command(Ask(ask): Ask, command: &Command, writer: &mut Writer) {
    let what = match command {
        Command::CreateAccount(_) => CREATE_ACCOUNT,
        Command::SetCredentials(..) => SET_CREDENTIALS,
        Command::RemoveAccount => REMOVE_ACCOUNT,
        Command::AddContact { .. } => ADD_CONTACT,
        Command::Sessions => SESSIONS,
        Command::Describe => DESCRIBE,
        Command::Kick(..) => KICK,
        Command::Settle => SETTLE,
    };
    writer.put(&Head { ask, what });
    match command {
        Command::CreateAccount(credentials) => {
            writer.put(&Credentials { credentials: Raw(credentials), except: None });
        }
        Command::SetCredentials(credentials, except) => {
            writer.put(&Credentials { credentials: Raw(credentials), except: except.as_deref() });
        }
        Command::AddContact { jid, name } => writer.put(&Contact { jid: jid.as_str(), name }),
        Command::Kick(resource, text) => writer.put(&Kick { resource: resource.as_deref(), text }),
        Command::RemoveAccount | Command::Sessions | Command::Describe | Command::Settle => {}
    }
}

pub(super) fn get_command(reader: &mut Reader<'_>) -> Result<(Ask, Command), WireError> {
    let Head { ask, what } = reader.get()?;
    let command = match what {
        CREATE_ACCOUNT | SET_CREDENTIALS => {
            let Credentials { credentials: Raw(credentials), except } = reader.get()?;
            let credentials = Bytes::copy_from_slice(credentials);
            if what == CREATE_ACCOUNT {
                Command::CreateAccount(credentials)
            } else {
                Command::SetCredentials(credentials, except.map(Box::from))
            }
        }
        REMOVE_ACCOUNT => Command::RemoveAccount,
        ADD_CONTACT => {
            let Contact { jid, name } = reader.get()?;
            let jid = BareJid::parse(jid).map_err(|_| WireError::Malformed("no address of a contact"))?;
            Command::AddContact { jid, name: name.to_owned() }
        }
        SESSIONS => Command::Sessions,
        DESCRIBE => Command::Describe,
        KICK => {
            let Kick { resource, text } = reader.get()?;
            Command::Kick(resource.map(Box::from), text.to_owned())
        }
        SETTLE => Command::Settle,
        _ => return Err(WireError::Malformed("no command")),
    };
    Ok((Ask(ask), command))
}

pub(super) fn put_reply(Ask(ask): Ask, reply: &Reply, writer: &mut Writer) {
    let mut head = |what| writer.put(&Head { ask, what });
    match reply {
        Reply::Done => head(DONE),
        Reply::NotFound => head(NOT_FOUND),
        Reply::Exists => head(EXISTS),
        Reply::Failed => head(FAILED),
        Reply::Sessions(sessions) => {
            head(SESSIONS_ARE);
            writer.list(sessions, put_session);
        }
        Reply::Account { contacts, waiting } => {
            head(ACCOUNT_IS);
            writer.put(&Account { contacts: *contacts, waiting: *waiting });
        }
    }
}

pub(super) fn get_reply(reader: &mut Reader<'_>) -> Result<(Ask, Reply), WireError> {
    let Head { ask, what } = reader.get()?;
    let reply = match what {
        DONE => Reply::Done,
        NOT_FOUND => Reply::NotFound,
        EXISTS => Reply::Exists,
        FAILED => Reply::Failed,
        SESSIONS_ARE => Reply::Sessions(reader.list(get_session)?),
        ACCOUNT_IS => {
            let Account { contacts, waiting } = reader.get()?;
            Reply::Account { contacts, waiting }
        }
        _ => return Err(WireError::Malformed("no reply")),
    };
    Ok((Ask(ask), reply))
}

fn put_session(writer: &mut Writer, session: &SessionInfo) {
    writer.put(&Session {
        jid: session.jid.as_str(),
        is_connected: session.is_connected,
        priority: session.priority,
        is_managed: session.is_managed,
        since: session.since,
        peer: Peer::of(session.peer),
    });
}

fn get_session(reader: &mut Reader<'_>) -> Result<SessionInfo, WireError> {
    let Session { jid, is_connected, priority, is_managed, since, peer } = reader.get()?;
    let jid = FullJid::parse(jid).map_err(|_| WireError::Malformed("no address of a session"))?;
    let peer = peer.into_address()?;
    Ok(SessionInfo { jid, is_connected, priority, is_managed, since, peer })
}
