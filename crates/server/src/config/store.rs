//! `[store]`: where accounts and messages are kept.

use std::path::PathBuf;

use stentor_store::Engine;

use super::rule::{File, Integer, OneOf};
use super::setting::{At, Component, Setting, restart};

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

impl StoreConfig {
    /// What the store is opened with.
    pub fn to_store(&self) -> stentor_store::Config {
        let mut config = stentor_store::Config::new(self.engine, &self.path);
        config.cache_bytes = self.cache_bytes;
        config
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
