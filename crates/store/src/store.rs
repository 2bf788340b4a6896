//! The open store: one writer thread for its lane, readers beside it, and what they report to.

use crate::backend::{Backend, Fault, Having, Reader};
use crate::directory::{Directory, DirectoryError};
use crate::limits::{QUESTIONS_WAITING_MAX, READERS, SETS_WAITING_BYTES_MAX, SETS_WAITING_MAX};
use crate::memory::MemoryBackend;
use crate::queue::{NotTaken, Queue};
use crate::row::Owner;
use crate::{readers, writer};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use stentor_engine::{CommitError, Epoch, Key, Query, Refused, Rows, Slot, Write, WriteSet};

/// Which engine keeps the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// None: all is gone with the process.
    Memory,
    /// A log-structured merge tree: the default.
    #[default]
    Fjall,
    /// A page log.
    Sled,
}

impl Engine {
    /// Its name in configuration, exports and the directory's marker.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fjall => "fjall",
            Self::Sled => "sled",
        }
    }
}

/// Where and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which engine.
    pub engine: Engine,
    /// The store's own directory, created with mode 0700; not used by [`Engine::Memory`].
    pub directory: PathBuf,
    /// Bytes that the engine's cache of rows may take. The default suits small hosts; a tenth of the memory
    /// that the process may use is a good choice for larger ones.
    pub cache_bytes: u64,
}

impl Config {
    /// With the defaults.
    pub fn new(engine: Engine, directory: impl Into<PathBuf>) -> Self {
        Self { engine, directory: directory.into(), cache_bytes: 64 * 1024 * 1024 }
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// This program was built without the engine.
    #[error("this program was built without the engine {0}")]
    NotBuilt(&'static str),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The engine refused. Its files were not changed but for its own recovery.
    #[error("the engine {engine} could not open {}: {fault}", directory.display())]
    Engine {
        /// Which engine.
        engine: &'static str,
        /// Where.
        directory: PathBuf,
        /// What it said.
        fault: Fault,
    },
    /// A thread could not be started.
    #[error("a thread of the store could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Opens an engine, without threads: for tools, and for a process that wants the blocking interface.
///
/// # Errors
/// See [`OpenError`].
pub fn open_backend(config: &Config) -> Result<Box<dyn Backend>, OpenError> {
    let engine = config.engine.name();
    if config.engine == Engine::Memory {
        return Ok(Box::new(MemoryBackend::new()));
    }
    if cfg!(not(feature = "fjall")) && config.engine == Engine::Fjall
        || cfg!(not(feature = "sled")) && config.engine == Engine::Sled
    {
        return Err(OpenError::NotBuilt(engine));
    }
    let directory = Directory::open(&config.directory, engine)?;
    open_engine(config, directory).map_err(|fault| OpenError::Engine {
        engine,
        directory: config.directory.clone(),
        fault,
    })
}

fn open_engine(config: &Config, directory: Directory) -> Result<Box<dyn Backend>, Fault> {
    // sled reports some damage by panicking.
    let open = || -> Result<Box<dyn Backend>, Fault> {
        match config.engine {
            Engine::Memory => Ok(Box::new(MemoryBackend::new())),
            #[cfg(feature = "fjall")]
            Engine::Fjall => {
                let table = crate::ordered::fjall::Fjall::open(directory, config.cache_bytes)?;
                Ok(Box::new(crate::ordered::Ordered::new(table)))
            }
            #[cfg(feature = "sled")]
            Engine::Sled => {
                let table = crate::ordered::sled::Sled::open(directory, config.cache_bytes)?;
                Ok(Box::new(crate::ordered::Ordered::new(table)))
            }
            #[cfg(not(all(feature = "fjall", feature = "sled")))]
            _ => Err(Fault::Engine(format!("not built: {directory:?}"))),
        }
    };
    shielded(open).unwrap_or_else(|| Err(Fault::Engine("it panicked".to_owned())))
}

/// What became of a write set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Whose it was.
    pub owner: Key,
    /// In which epoch of its slot it was written.
    pub epoch: Epoch,
    /// Its ticket.
    pub ticket: u64,
    /// Durable, or refused: then so are all later ones until the owner writes its ticket 1 again.
    pub result: Result<(), CommitError>,
}

/// Where an arbiter hears of its commits. Called on the writer's thread: it passes the message on, and returns.
pub trait Completion: Send + Sync {
    /// The results of this arbiter's sets in one batch, in the order in which they were written. One call for each
    /// batch that had any.
    fn committed(&self, results: Vec<Committed>);

    /// A write or a question of this arbiter was given back as [`Refused::Full`], and now there is room.
    fn room(&self);
}

/// A question to the store, and where its answers go.
pub struct Question {
    /// Who asks; told by [`Completion::room`] if it is given back.
    pub arbiter: u16,
    /// Whose rows.
    pub owner: Key,
    /// What is asked.
    pub queries: Vec<Query>,
    /// Called once, on a reader's thread, with an answer for each query in order; dropped uncalled only if the
    /// question is given back.
    pub reply: Box<dyn FnOnce(Vec<Rows>) + Send>,
}

/// A handle of the open store; all clones are of the same. See the crate's documentation for how to drive it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    sets: Arc<Queue<(u16, WriteSet)>>,
    questions: Arc<Queue<Question>>,
    arbiters: Arc<Arbiters>,
    /// Reads for exports, one at a time.
    exporter: Mutex<Box<dyn Reader>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Whom to tell, by the arbiter's number, and whether the engine has failed.
#[derive(Default)]
pub(crate) struct Arbiters {
    completions: RwLock<Vec<Option<Arc<dyn Completion>>>>,
    failure: OnceLock<String>,
}

impl Arbiters {
    /// What was registered for an arbiter.
    pub(crate) fn get(&self, arbiter: u16) -> Option<Arc<dyn Completion>> {
        let completions = self.completions.read().unwrap_or_else(PoisonError::into_inner);
        completions.get(usize::from(arbiter)).cloned().flatten()
    }

    /// Tells them that there is room.
    pub(crate) fn room(&self, refused: Vec<u16>) {
        for completion in refused.into_iter().filter_map(|arbiter| self.get(arbiter)) {
            shielded(|| completion.room());
        }
    }

    /// Only the first reason is kept.
    pub(crate) fn failed(&self, reason: String) {
        let _ = self.failure.set(reason);
    }
}

/// What is called here but written elsewhere may panic; the thread goes on without its result.
pub(crate) fn shielded<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call))
        .inspect_err(|_| tracing::error!("a call from a thread of the store panicked"))
        .ok()
}

impl Store {
    /// Opens the store and starts its threads.
    ///
    /// # Errors
    /// See [`OpenError`]; no thread runs.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        Self::over(open_backend(config)?)
    }

    /// Starts the threads over a backend.
    ///
    /// # Errors
    /// A thread could not be started; those that were end.
    pub fn over(backend: Box<dyn Backend>) -> Result<Self, OpenError> {
        let sets = Arc::new(Queue::new(SETS_WAITING_MAX, SETS_WAITING_BYTES_MAX));
        let questions = Arc::new(Queue::new(QUESTIONS_WAITING_MAX, usize::MAX));
        let arbiters = Arc::new(Arbiters::default());
        let exporter = Mutex::new(backend.reader());
        let readers: Vec<_> = (0..READERS).map(|_| backend.reader()).collect();
        let threads = Mutex::new(Vec::new());
        let inner = Inner { sets, questions, arbiters, exporter, threads };
        let (sets, arbiters) = (Arc::clone(&inner.sets), Arc::clone(&inner.arbiters));
        inner.start("store-writer", move || writer::run(backend, &sets, &arbiters))?;
        for reader in readers {
            let (questions, arbiters) = (Arc::clone(&inner.questions), Arc::clone(&inner.arbiters));
            inner.start("store-reader", move || readers::run(&*reader, &questions, &arbiters))?;
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Names whom to tell of an arbiter's commits, before its first write.
    pub fn register(&self, arbiter: u16, completion: Arc<dyn Completion>) {
        let mut completions = self.inner.arbiters.completions.write().unwrap_or_else(PoisonError::into_inner);
        let at = usize::from(arbiter);
        if completions.len() <= at {
            completions.resize_with(at + 1, || None);
        }
        if let Some(slot) = completions.get_mut(at) {
            *slot = Some(completion);
        }
    }

    /// Takes a write set to be committed, behind all that were taken before; does not wait. The result goes to what
    /// was registered for `arbiter`.
    ///
    /// # Errors
    /// The set is given back. [`Refused::Full`]: it is kept by the caller, with all later ones of its owner, until
    /// [`Completion::room`]. [`Refused::Closed`]: the store is closing and nothing is committed any more.
    pub fn write(&self, arbiter: u16, set: WriteSet) -> Result<(), (Refused, WriteSet)> {
        let weight = set.writes.iter().map(Write::bytes).sum();
        let given_back = |(why, (_, set)): (NotTaken, (u16, WriteSet))| (Refused::from(why), set);
        self.inner.sets.push(arbiter, weight, (arbiter, set)).map_err(given_back)
    }

    /// Takes a question; does not wait. It sees all that was reported as committed before.
    ///
    /// # Errors
    /// The question is given back, as in [`Store::write`].
    pub fn query(&self, question: Question) -> Result<(), (Refused, Question)> {
        let arbiter = question.arbiter;
        self.inner.questions.push(arbiter, 0, question).map_err(|(why, question)| (why.into(), question))
    }

    /// How many write sets wait before the writer, and questions before the readers.
    pub fn waiting(&self) -> (usize, usize) {
        (self.inner.sets.len(), self.inner.questions.len())
    }

    /// Why the engine takes nothing more, if so: a commit failed, or it panicked. Opening the store again is the only
    /// way on. A [`CommitError::Store`] without it is of one owner's writes alone.
    pub fn failure(&self) -> Option<String> {
        self.inner.arbiters.failure.get().cloned()
    }

    /// Takes nothing more, commits and answers all that was taken, reports it, and closes the engine. Blocks.
    pub fn close(&self) {
        self.inner.close();
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }

    /// A page of the owners that have what is asked for; see [`Reader::owners`]. On the caller's thread.
    ///
    /// # Errors
    /// The engine failed, or a row that was read is corrupt.
    pub fn owners(&self, after: Option<&Owner>, limit: usize, having: Having) -> Result<Vec<Owner>, Fault> {
        self.with_reader(|reader| reader.owners(after, limit, having))
    }

    /// A page of the owners of some slots; see [`Reader::owners_of`]. On the caller's thread.
    ///
    /// # Errors
    /// The engine failed, or a row that was read is corrupt.
    pub fn owners_of(
        &self,
        slots: &[Slot],
        after: Option<&Owner>,
        limit: usize,
        having: Having,
    ) -> Result<Vec<Owner>, Fault> {
        self.with_reader(|reader| reader.owners_of(slots, after, limit, having))
    }

    /// Runs `read` with a reader of its own, on the caller's thread.
    pub(crate) fn with_reader<R>(&self, read: impl FnOnce(&dyn Reader) -> R) -> R {
        read(&**self.inner.exporter.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn start(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn close(&self) {
        self.sets.close();
        self.questions.close();
    }
}

/// The threads end once they have done all that was taken.
impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl From<NotTaken> for Refused {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Full => Self::Full,
            NotTaken::Closed => Self::Closed,
        }
    }
}
