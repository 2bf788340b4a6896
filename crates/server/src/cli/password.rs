//! Where a new password comes from: an option, the standard input, or the terminal without echo.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use stentor_xmpp::{BareJid, prepare_password};

use super::arguments::PasswordArguments;
use super::output::{Failure, Output};
use crate::control::{ControlErrorKind, Password};

/// A line is read up to this length: a password has at most 4,096 bytes, so one that was cut is refused.
const LINE_BYTES_MAX: u64 = 8_192;

/// Ctrl-C, where the terminal sends no signal for it.
const INTERRUPT: u8 = 3;

/// The password for `jid`.
pub(super) fn read(
    arguments: &PasswordArguments,
    jid: &BareJid,
    output: &Output,
) -> Result<Password, Failure> {
    let stdin = io::stdin();
    let password = if let Some(password) = &arguments.password {
        output.warning(
            "--password can be seen in the list of processes and stays in the shell's history; better leave it out",
            None,
        );
        password.clone()
    } else if arguments.password_stdin || !stdin.is_terminal() {
        line(&mut stdin.lock())?
    } else {
        ask_twice(jid)?
    };
    prepare_password(&password).map_err(|error| refused(error.to_string()))?;
    Ok(Password(password))
}

fn refused(why: impl Into<String>) -> Failure {
    Failure::new(ControlErrorKind::Refused, why)
}

fn ask_twice(jid: &BareJid) -> Result<String, Failure> {
    let first = ask(&format!("Password for {jid}: "))?;
    let second = ask("Once more: ")?;
    if first == second { Ok(first) } else { Err(refused("the two passwords differ")) }
}

fn ask(prompt: &str) -> Result<String, Failure> {
    // Before the prompt, for beginning drops what was typed so far.
    let silence = Silence::begin();
    eprint!("{prompt}");
    io::stderr().flush()?;
    let password = line(&mut io::stdin().lock());
    drop(silence);
    eprintln!();
    password
}

/// The first line, without its end.
fn line(input: &mut impl BufRead) -> Result<String, Failure> {
    let mut input = input.take(LINE_BYTES_MAX);
    let mut line = Vec::new();
    loop {
        let read = input.fill_buf()?;
        let end = read.iter().position(|byte| [b'\n', INTERRUPT].contains(byte));
        let length = end.map_or(read.len(), |end| end + 1);
        let is_last = end.is_some() || read.is_empty();
        line.extend_from_slice(read.get(..length).unwrap_or_default());
        input.consume(length);
        if is_last {
            break;
        }
    }
    if line.ends_with(&[INTERRUPT]) {
        return Err(refused("interrupted"));
    }
    let line = String::from_utf8(line).map_err(|_| refused("a password is text in UTF-8"))?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(refused("no password was given: type one, or write one to --password-stdin"));
    }
    Ok(line.to_owned())
}

/// The terminal without echo. Without signals too: a program that Ctrl-C kills would leave it mute; so Ctrl-C ends the
/// line, as Enter does.
struct Silence {
    before: Option<Termios>,
}

impl Silence {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
            silent.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
            // A terminal that cannot be silenced shows the password; the prompt still works.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &silent);
        }
        Self { before }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // What cannot be set back was not set either.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line() {
        let check = |input: &[u8], expected: Option<&str>| {
            assert_eq!(line(&mut &*input).ok().as_deref(), expected, "{input:?}");
        };
        check(b"secret\n", Some("secret"));
        check(b"secret", Some("secret"));
        check(b"sec ret \r\nmore\n", Some("sec ret "));
        check(b"", None);
        check(b"\n", None);
        check(b"\xff\n", None);
        check(b"sec\x03ret\n", None);
        let long = vec![b'x'; 10_000];
        assert!(prepare_password(&line(&mut &*long).expect("the beginning of it")).is_err());
    }
}
