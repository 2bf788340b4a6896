//! How a server ends: in good order, and within its time whatever the store does.

use std::time::Duration;

use stentor_runtime::cluster::ClusterHandle;
use stentor_runtime::{Administration, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::http::Http;
use crate::limits::{DRAIN_CHECK, END_TIME, MOVE_TIME};
use crate::member;

/// What is to be ended.
pub(crate) struct Parts<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) cluster: Option<&'a ClusterHandle>,
    pub(crate) http: Option<&'a Http>,
    pub(crate) control: JoinHandle<()>,
}

/// Ends a server whose sessions get so much time. Where the store does not answer, threads may wait for it still.
pub(crate) async fn end(parts: Parts<'_>, drain: Duration) {
    if let Some(cluster) = parts.cluster.filter(|_| !drain.is_zero()) {
        member::drain(cluster, MOVE_TIME).await;
    }
    if timeout(drain + END_TIME, close(parts, drain)).await.is_err() {
        tracing::warn!(
            "the store did not answer in time: the server ends without it, and what was acknowledged is kept"
        );
    }
}

async fn close(parts: Parts<'_>, drain: Duration) {
    let Parts { runtime, cluster, http, control } = parts;
    end_sessions(&runtime.administration(), drain).await;
    if let Err(error) = control.await {
        tracing::error!(%error, "control socket failed");
    }
    if let Some(cluster) = cluster {
        member::leave(cluster).await;
    }
    if let Some(http) = http {
        http.stop().await;
    }
    runtime.stop().await;
}

/// Sessions are told, and get some time to go; then everything that is in memory is written.
async fn end_sessions(administration: &Administration, drain: Duration) {
    administration.end_sessions().await;
    let all_gone = async {
        while administration.count().await.1 > 0 {
            tokio::time::sleep(DRAIN_CHECK).await;
        }
    };
    if timeout(drain, all_gone).await.is_err() {
        tracing::warn!("sessions were cut off");
    }
    administration.settle().await;
}
