//! What befalls the processes of a run.

use super::World;
use crate::faults::{Fate, Fault, chain_step};
use crate::stage::{Happening, Place, Stage, ToProcess};
use std::collections::VecDeque;

/// Until whoever is to die is looked for again, where nobody lives.
const NOBODY_LIVES: u64 = 500;

impl World {
    pub(super) fn befall(&mut self, fate: Fate) {
        let is_ending = self.stage.is_ending;
        match fate {
            Fate::Wrong { then } if !is_ending => self.go_wrong(then),
            Fate::Death if !is_ending => self.lose_a_member(),
            Fate::Crash(place) if !is_ending && self.process(place).is_some() => {
                self.begin(Fault::Kill(place.at));
            }
            Fate::Start(at) => {
                self.stage.coverage.restarts += 1;
                self.stage.faults.end(Fault::Kill(at));
                self.start(at);
            }
            Fate::Continue(place) => self.go_on(place),
            Fate::Drain if !is_ending => self.drain(),
            Fate::Right(fault) => {
                let arrives = self.stage.right(fault);
                arrives.into_iter().for_each(|(place, what)| self.happen(place, what));
            }
            Fate::Wrong { .. } | Fate::Death | Fate::Crash(_) | Fate::Drain => {}
        }
    }

    fn go_wrong(&mut self, then: u64) {
        let processes = &self.processes;
        let runs = |at: usize| processes.get(at).is_some_and(Option::is_some);
        let can_begin = |stage: &Stage, fault| match fault {
            Fault::Kill(at) | Fault::Pause(at) => runs(at),
            Fault::Cut(a, b) => !stage.network.between(a, b).is_empty(),
            Fault::Part(..) | Fault::Storeless(_) | Fault::Store => true,
        };
        let Some(fault) = self.stage.draw_fault(can_begin) else { return };
        let long = self.begin(fault);
        if let Some(then) = then.checked_sub(1) {
            let delay = self.stage.random.below(chain_step(long));
            self.stage.queue.after(delay, Happening::Fate(Fate::Wrong { then }));
        }
    }

    fn lose_a_member(&mut self) {
        let members = self.processes.len();
        let first = self.stage.random.below(members as u64) as usize;
        let mut candidates = (0..members).map(|n| (first + n) % members);
        match candidates.find(|at| self.processes.get(*at).is_some_and(Option::is_some)) {
            Some(at) => {
                self.begin(Fault::Kill(at));
            }
            None => self.stage.queue.after(NOBODY_LIVES, Happening::Fate(Fate::Death)),
        }
    }

    /// A fault begins; how long it lasts.
    fn begin(&mut self, fault: Fault) -> u64 {
        self.stage.begins(fault);
        match fault {
            Fault::Kill(at) => {
                self.stage.coverage.kills += 1;
                self.die(at)
            }
            Fault::Pause(at) => self.pause(at),
            fault => self.stage.trouble(fault),
        }
    }

    fn pause(&mut self, at: usize) -> u64 {
        let long = self.stage.random.between(500, 15_000);
        if let Some(process) = self.processes.get_mut(at).and_then(Option::as_mut) {
            self.stage.coverage.pauses += 1;
            process.paused = Some(VecDeque::new());
            self.stage.queue.after(long, Happening::Fate(Fate::Continue(process.place)));
        }
        long
    }

    /// A process that stood still goes on, with what has come meanwhile.
    pub(super) fn go_on(&mut self, place: Place) {
        let Some(process) = self.process(place) else { return };
        let waiting = process.paused.take();
        self.stage.faults.end(Fault::Pause(place.at));
        for what in waiting.into_iter().flatten() {
            self.take(place, what);
        }
    }

    fn drain(&mut self) {
        let stage = &mut self.stage;
        // One at a time, and not the last: else there is nobody to take what it has.
        let least = if stage.is_calm { self.processes.len() } else { 2 };
        if stage.serving.len() < least || stage.draining.is_some() {
            return;
        }
        let Some(place) = stage.random.pick(&stage.serving).copied() else { return };
        stage.draining = Some(place);
        stage.coverage.drains += 1;
        stage.coverage.drains_amid += u64::from(stage.faults.is_any());
        self.happen(place, ToProcess::Drain);
    }

    /// Everything in the memory of a process is gone, and what was not synced on a disk of its own may be. In how long
    /// another is started.
    pub(super) fn die(&mut self, at: usize) -> u64 {
        let Some(process) = self.processes.get_mut(at).and_then(Option::take) else { return 0 };
        let stage = &mut self.stage;
        if stage.is_shared() {
            stage.trace(|| format!("{:?} is over", process.place));
        } else {
            stage.crash_disk(&process);
        }
        stage.died(process.place);
        stage.faults.end(Fault::Pause(at));
        self.crashes += 1;
        for (index, client) in self.clients.iter().enumerate() {
            if let Some(connection) = client.connection().filter(|_| client.place() == process.place) {
                let delay = stage.random.below(5_000);
                stage.queue.after(delay, Happening::Lost(index, connection));
            }
        }
        let delay = stage.random.between(10, 5_000);
        stage.queue.after(delay, Happening::Fate(Fate::Start(at)));
        delay
    }
}
