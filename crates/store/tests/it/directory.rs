//! The directory is private, belongs to one process and one engine, and says what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use stentor_store::{Config, Engine, open_backend};

const ENGINES: [Engine; 2] = [Engine::Fjall, Engine::Sled];

fn failure(config: &Config) -> String {
    match open_backend(config) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn is_private() {
    for engine in ENGINES {
        let parent = tempfile::tempdir().unwrap();
        let config = Config::new(engine, parent.path().join("deep/store"));
        drop(open_backend(&config).unwrap());
        fs::set_permissions(&config.directory, fs::Permissions::from_mode(0o755)).unwrap();
        drop(open_backend(&config).unwrap());
        let mode = fs::metadata(&config.directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", engine.name());
    }
}

#[test]
fn is_open_once() {
    for engine in ENGINES {
        let parent = tempfile::tempdir().unwrap();
        let config = Config::new(engine, parent.path());
        let first = open_backend(&config).unwrap();
        let reader = first.reader();
        assert!(failure(&config).ends_with("is in use by another process"));
        drop(first);
        assert!(failure(&config).ends_with("is in use by another process"), "a reader has it open");
        drop(reader);
        open_backend(&config).unwrap();
    }
}

#[test]
fn belongs_to_one_engine_and_format() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::new(Engine::Fjall, parent.path());
    drop(open_backend(&config).unwrap());
    let other = Config::new(Engine::Sled, parent.path());
    assert!(failure(&other).ends_with("was made by the engine fjall, not sled"));
    for (marker, reason) in [
        (r#"{"format":3,"engine":"fjall"}"#, "format 3, where 2 is known"),
        ("{", "EOF while parsing an object at line 1 column 1"),
    ] {
        fs::write(parent.path().join("store.json"), marker).unwrap();
        assert!(failure(&config).ends_with(reason), "{}", failure(&config));
    }
}

#[test]
fn a_file_is_no_directory() {
    let parent = tempfile::tempdir().unwrap();
    let config = Config::new(Engine::Fjall, parent.path().join("file"));
    fs::write(&config.directory, "").unwrap();
    assert!(failure(&config).contains("file"));
}
