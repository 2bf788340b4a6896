//! `[store]`: where accounts and messages are kept.

use std::path::PathBuf;

use super::rule::{File, Integer, OneOf};
use super::setting::{At, Component, Setting, restart};

/// The engine that keeps the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// fjall: a log-structured tree in a folder.
    #[cfg(feature = "fjall")]
    Fjall,
    /// sled: a tree in a folder.
    #[cfg(feature = "sled")]
    Sled,
    /// Nothing is on disk; all is lost when the server ends.
    Memory,
}

/// The engines that this program was built with.
pub const ENGINES: &[(&str, Engine)] = &[
    #[cfg(feature = "fjall")]
    ("fjall", Engine::Fjall),
    #[cfg(feature = "sled")]
    ("sled", Engine::Sled),
    ("memory", Engine::Memory),
];

/// The store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The engine.
    pub engine: Engine,
    /// The folder of the engine's files; relative ones are below `data`. Of no use to `memory`.
    pub path: PathBuf,
    /// Bytes of memory for what was read before.
    pub cache_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        // The first of those that are there: a build without any engine has only the memory.
        let engine = ENGINES.first().map_or(Engine::Memory, |(_, engine)| *engine);
        Self { engine, path: PathBuf::from("store"), cache_bytes: 64 << 20 }
    }
}

impl Component for StoreConfig {
    const SETTINGS: &'static [Setting<Self>] = &[
        restart("engine", &At(|config: &mut Self| &mut config.engine, OneOf(ENGINES))),
        restart("path", &At(|config: &mut Self| &mut config.path, File)),
        restart(
            "cache_bytes",
            &At(
                |config: &mut Self| &mut config.cache_bytes,
                Integer { min: 1 << 20, max: 1 << 40, unit: "bytes" },
            ),
        ),
    ];
}
