//! How tasks of the cluster's thread, one for each socket, share what it owns: each borrows it for as long as it takes to
//! tell it something.

use super::Published;
use super::alarm::Alarm;
use super::clock::now_ms;
use super::core::Core;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use stentor_cluster::Ending;
use tokio::sync::Notify;

/// See the module.
#[derive(Clone)]
pub(super) struct Cell {
    core: Rc<RefCell<Core>>,
    changed: Rc<Notify>,
}

impl Cell {
    pub(super) fn new(core: Core) -> Self {
        Self { core: Rc::new(RefCell::new(core)), changed: Rc::default() }
    }

    /// Tells it something, and does what follows.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Core, u64) -> R) -> R {
        let (result, is_changed) = {
            let mut core = self.core.borrow_mut();
            let result = f(&mut core, now_ms());
            core.settle();
            (result, std::mem::take(&mut core.is_changed))
        };
        if is_changed {
            self.changed.notify_one();
        }
        result
    }

    /// Starts a task of this thread. If it panics, which is a bug of ours, the member ends rather than goes on without it.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let watch = Watch(Arc::clone(&self.core.borrow().published));
        tokio::task::spawn_local(async move {
            let _watch = watch;
            task.await;
        });
    }

    /// Does what is due, for ever.
    pub(super) async fn keep_time(self) {
        let mut alarm = Alarm::new();
        loop {
            let due = self.with(|core, now| {
                core.tick(now);
                core.next_deadline()
            });
            alarm.within(due);
            tokio::select! {
                () = poll_fn(|context| alarm.poll(context)) => {}
                () = self.changed.notified() => {}
            }
        }
    }
}

/// Sees to it that the end of the thread is known, whatever it was.
pub(super) struct Watch(pub(super) Arc<Published>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the cluster's thread panicked: this member ends, and begins anew");
            self.0.end(Ending::Fenced);
        }
    }
}
