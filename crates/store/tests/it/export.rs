//! An export goes into any engine and is whole or refused.

use crate::engines::*;
use bytes::Bytes;
use stentor_engine::{Append, Expect, LogId, Write};
use stentor_store::{
    Backend, Config, Engine, ImportError, MemoryBackend, Summary, export, import, open_backend, restore,
};

/// One of everything: an entry that was removed, a tail beyond the last entry, bytes that are no text.
fn full(backend: &mut dyn Backend) {
    let (romeo, juliet) = (user("romeo@example.org"), user("juliet@example.org"));
    let binary = Append { id: LogId(4), value: Bytes::from_static(&[0, 159, 146, 150]) };
    let sets = vec![
        set(
            &romeo,
            vec![
                put(ROSTER, "a", "<item a='ü'/>", Expect::Any),
                put(ROSTER, "a", "{\"v\":1}\n", Expect::Any),
            ],
        ),
        set(&romeo, vec![append(1, "one"), append(2, "two"), append(3, "three")]),
        set(&romeo, vec![remove(3), Write::Append(binary), append(9, "nine"), remove(9)]),
        set(&juliet, vec![append(1, ""), put(ROSTER, "", "", Expect::Any)]),
    ];
    assert_eq!(backend.commit(&stentor_engine::Batch { number: 1, sets }), []);
}

fn text_of(backend: &dyn Backend) -> String {
    let mut text = Vec::new();
    export(&*backend.reader(), &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with("{\"end\"")).collect();
    lines.sort_unstable();
    lines
}

/// The format is a promise to later versions.
#[test]
fn looks_like_this() {
    let mut memory = MemoryBackend::new();
    full(&mut memory);
    let expected = r#"{"stentor_export":1}
{"entry":{"kind":"u","owner":"juliet@example.org","id":1,"value":""}}
{"record":{"kind":"u","owner":"juliet@example.org","collection":"roster","key":"","version":1,"value":""}}
{"tail":{"kind":"u","owner":"juliet@example.org","id":1}}
{"entry":{"kind":"u","owner":"romeo@example.org","id":1,"value":"one"}}
{"entry":{"kind":"u","owner":"romeo@example.org","id":2,"value":"two"}}
{"entry":{"kind":"u","owner":"romeo@example.org","id":4,"base64":"AJ+Slg=="}}
{"record":{"kind":"u","owner":"romeo@example.org","collection":"roster","key":"a","version":2,"value":"{\"v\":1}\n"}}
{"tail":{"kind":"u","owner":"romeo@example.org","id":9}}
"#;
    let text = text_of(&memory);
    let (rows, end) = text.split_at(text.rfind("{\"end\"").unwrap());
    assert_eq!(rows, expected);
    assert!(end.starts_with("{\"end\":{\"rows\":8,\"sha256\":\""), "{end}");
}

#[test]
fn goes_from_any_engine_into_any() {
    for from in [Engine::Memory, Engine::Fjall, Engine::Sled] {
        let mut bench = Bench::new(from);
        full(bench.backend());
        let text = text_of(bench.backend());
        for to in [Engine::Fjall, Engine::Sled] {
            let parent = tempfile::tempdir().unwrap();
            let config = Config::new(to, parent.path().join("store"));
            assert_eq!(import(&config, text.as_bytes()).unwrap(), Summary { rows: 8 });
            let backend = open_backend(&config).unwrap();
            assert_eq!(sorted(&text_of(&*backend)), sorted(&text), "{} to {}", from.name(), to.name());
            let again = import(&config, text.as_bytes()).unwrap_err();
            assert!(matches!(again, ImportError::NotEmpty(_)), "{again}");
            assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1, "nothing else is left");
        }
        let mut memory = MemoryBackend::new();
        restore(&mut memory, text.as_bytes()).unwrap();
        assert_eq!(sorted(&text_of(&memory)), sorted(&text), "{} to memory", from.name());
        assert!(matches!(restore(&mut memory, text.as_bytes()), Err(ImportError::HasRows)));
    }
}

#[test]
fn is_refused_wherever_it_is_cut_or_changed() {
    let mut memory = MemoryBackend::new();
    full(&mut memory);
    let text = text_of(&memory).into_bytes();
    restore(&mut MemoryBackend::new(), &text[..]).unwrap();
    for end in 0..text.len() {
        assert!(restore(&mut MemoryBackend::new(), &text[..end]).is_err(), "cut off at byte {end}");
    }
    for at in 0..text.len() {
        let mut changed = text.clone();
        changed[at] ^= 1;
        assert!(restore(&mut MemoryBackend::new(), &changed[..]).is_err(), "byte {at} changed");
    }
    let longer = [&text[..], b"{}\n"].concat();
    assert!(restore(&mut MemoryBackend::new(), &longer[..]).is_err());
}

#[test]
fn a_refused_import_leaves_nothing() {
    for engine in [Engine::Fjall, Engine::Sled] {
        let parent = tempfile::tempdir().unwrap();
        let config = Config::new(engine, parent.path().join("store"));
        let error = import(&config, &b"{\"stentor_export\":1}\n"[..]).unwrap_err();
        assert!(matches!(error, ImportError::Truncated(1)), "{error}");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        // What a process that was killed had left is in nobody's way.
        drop(open_backend(&Config::new(engine, parent.path().join("store.importing"))).unwrap());
        let mut memory = MemoryBackend::new();
        full(&mut memory);
        import(&config, text_of(&memory).as_bytes()).unwrap();
        open_backend(&config).unwrap();
    }
}

#[test]
fn says_what_is_wrong_where() {
    let row = |row: &str| format!("{{\"stentor_export\":1}}\n{row}\n");
    for (text, expected) in [
        ("".to_owned(), "line 0: this is no export"),
        ("{\"stentor_export\":2}\n".to_owned(), "line 1: version 2 of the format, where 1 is known"),
        (row(r#"{"tail":{"kind":"u","owner":"a@b.org","id":-1}}"#), "line 2: invalid value: integer `-1`"),
        (
            row(r#"{"tail":{"kind":"ü","owner":"a@b.org","id":1}}"#),
            "line 2: the kind of the owner is no letter",
        ),
        (row(r#"{"tail":{"kind":"u","owner":"a\u0000","id":1}}"#), "line 2: the owner has a NUL"),
        (row(r#"{"entry":{"kind":"u","owner":"a","id":1,"base64":"?"}}"#), "line 2: its value is no base64"),
        (row(r#"{"folder":{}}"#), "line 2: unknown variant `folder`"),
        (row(r#"{"end":{"rows":0,"sha256":""}}"#), "the export is damaged"),
    ] {
        let error = restore(&mut MemoryBackend::new(), text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
