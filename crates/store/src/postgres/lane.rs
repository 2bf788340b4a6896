//! The writing side: one batch, one statement, one round trip. A batch whose answer was lost is sent again with its number,
//! by which the database knows whether it was committed.

use super::config::Target;
use super::reader::PostgresReader;
use super::restore;
use super::rows::{Rows, number};
use super::session::{Live, Pause, Purpose, Session, Trouble, outside};
use crate::backend::{Backend, Fault, Reader, Refusal};
use crate::register::LaneId;
use crate::row::OwnedRow;
use std::sync::Arc;
use stentor_engine::{Batch, CommitError};
use tokio_postgres::Error;

const LANE: &str = "SELECT number, moves, fenced, conflict FROM lanes WHERE member = $1 AND lane = $2";

/// Why a lane takes nothing any more.
const FENCED: &str = "this member was fenced";
const REPLACED: &str = "another server has opened the store";

pub(super) struct PostgresLane {
    target: Arc<Target>,
    session: Session,
    lane: LaneId,
    /// How often slots were taken from the member, as far as is known; none before the first batch.
    moves: Option<i64>,
    /// The number of the last batch, if the lane is that of a server alone, who counts for itself.
    alone: Option<i64>,
    failure: Option<String>,
}

/// The answer to a batch: places of owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Verdict {
    fenced: Vec<i32>,
    conflict: Vec<i32>,
}

/// What became of one try.
enum Outcome {
    Done(Verdict),
    /// The lane was given up by others.
    Fenced,
    /// The batch is not the next one. Nothing was done.
    NotNext,
    /// Slots were moved since the last batch. Nothing was done.
    Moved,
}

impl PostgresLane {
    pub(super) fn member(target: Arc<Target>, lane: LaneId) -> Result<Self, Fault> {
        let session = Session::new(Arc::clone(&target), Purpose::Lane).map_err(engine)?;
        Ok(Self { target, session, lane, moves: None, alone: None, failure: None })
    }

    /// The lane of a server alone, as its opening left it.
    pub(super) fn alone(target: Arc<Target>, session: Session, lane: LaneId, moves: i64) -> Self {
        Self { target, session, lane, moves: Some(moves), alone: Some(0), failure: None }
    }

    fn settle(&mut self, batch: &Batch, rows: &Rows<'_>) -> Result<Verdict, CommitError> {
        let n = self.alone.map_or_else(|| number(batch.number), |last| last + 1);
        let mut pause = Pause::until(self.target.patience);
        loop {
            match self.attempt(n, rows) {
                Ok(Outcome::Done(verdict)) => {
                    self.alone = self.alone.map(|_| n);
                    return Ok(verdict);
                }
                Ok(Outcome::Moved) => {}
                Ok(Outcome::Fenced) => {
                    let reason = if self.alone.is_some() { REPLACED } else { FENCED };
                    self.failure = Some(reason.to_owned());
                    return Err(CommitError::Fenced);
                }
                Ok(Outcome::NotNext) => {
                    return Err(CommitError::Store("this is not the lane's next batch".to_owned()));
                }
                Err(trouble) if !trouble.is_final() && pause.wait(&trouble) => {}
                Err(trouble) => {
                    let reason = format!("the database at {}: {trouble}", self.target.place);
                    self.failure = Some(reason.clone());
                    return Err(CommitError::Store(reason));
                }
            }
        }
    }

    fn attempt(&mut self, n: i64, rows: &Rows<'_>) -> Result<Outcome, Trouble> {
        let (member, lane) = (number(self.lane.member.0), i32::from(self.lane.lane));
        let is_alone = self.alone.is_some();
        if let Some(moves) = self.moves {
            let session = &mut self.session;
            let shape = rows.shape();
            let parameters = rows.parameters(shape, vec![&member, &lane, &n, &moves, &is_alone]);
            let answer = session.run(self.target.answer_time, async |live| {
                let statement = live.prepared(shape.statement()).await?;
                live.client.query_opt(&statement, &parameters).await
            })?;
            if let Some(row) = answer {
                return verdict(&row, 0).map(Outcome::Done);
            }
        }
        let row = self.session.run(self.target.answer_time, async |live| {
            let statement = live.prepared(LANE).await?;
            live.client.query_opt(&statement, &[&member, &lane]).await
        })?;
        let Some(row) = row else { return Ok(Outcome::Fenced) };
        let (last, moves): (i64, i64) = (get(&row, 0)?, get(&row, 1)?);
        let known = self.moves.replace(moves);
        if is_alone && known != Some(moves) {
            return Ok(Outcome::Fenced);
        }
        match n - last {
            0 => verdict(&row, 2).map(Outcome::Done),
            // Or the try before this one is still under way, and will be waited for.
            1 => Ok(Outcome::Moved),
            _ => Ok(Outcome::NotNext),
        }
    }
}

fn verdict(row: &tokio_postgres::Row, from: usize) -> Result<Verdict, Trouble> {
    Ok(Verdict { fenced: get(row, from)?, conflict: get(row, from + 1)? })
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    at: usize,
) -> Result<T, Trouble> {
    row.try_get(at).map_err(|error| Trouble::Refused(error.to_string()))
}

fn engine(error: impl ToString) -> Fault {
    Fault::Engine(error.to_string())
}

impl Backend for PostgresLane {
    fn commit(&mut self, batch: &Batch) -> Vec<Refusal> {
        let rows = Rows::of(batch);
        let verdict = match &self.failure {
            Some(reason) if reason == FENCED || reason == REPLACED => Err(CommitError::Fenced),
            Some(reason) => Err(CommitError::Store(reason.clone())),
            None => outside(|| self.settle(batch, &rows)),
        };
        let mut refused = Vec::new();
        for (ix, (owner, known)) in (0..).zip(&rows.owners) {
            let error = match &verdict {
                Err(error) => Some(error.clone()),
                Ok(verdict) if verdict.fenced.contains(&ix) => Some(CommitError::Fenced),
                Ok(_) if known.is_some() => known.clone(),
                Ok(verdict) => verdict.conflict.contains(&ix).then_some(CommitError::Conflict),
            };
            refused.extend(error.map(|error| ((*owner).clone(), error)));
        }
        refused
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(PostgresReader::new(Arc::clone(&self.target)))
    }

    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    fn restore(&mut self, rows: Vec<OwnedRow>) -> Result<(), Fault> {
        let rows = restore::Restored::of(rows)?;
        let patience = self.target.patience;
        let put = async |live: &mut Live| -> Result<(), Error> { rows.put(live).await };
        outside(|| self.session.retry(patience, put)).map_err(engine)
    }
}
