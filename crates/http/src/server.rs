//! The listeners, the thread, and the three resources.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::rt::System;
use actix_web::rt::time::timeout;
use actix_web::{App, HttpResponse, web};

use crate::limits::{CONNECTIONS_MAX, IDLE, LINGER, REQUEST_TIME, SOURCE_TIME};
use crate::{Source, metrics};

const TEXT: &str = "text/plain; charset=utf-8";

/// HTTP, on a thread of its own. It ends when this is dropped, or better by [`HttpServer::stop`].
pub struct HttpServer {
    handle: ServerHandle,
}

impl HttpServer {
    /// Serves on these sockets what the source says.
    ///
    /// # Errors
    /// There is no thread to be had, or a socket cannot be used.
    pub fn start(listeners: Vec<TcpListener>, source: Arc<dyn Source>) -> io::Result<Self> {
        let (tell, told) = sync_channel(1);
        thread::Builder::new().name("http".to_owned()).spawn(move || {
            let ended = System::new().block_on(async {
                let server = server(listeners, source)?;
                // Whoever started it waits for this.
                let _ = tell.send(server.handle());
                server.await
            });
            if let Err(error) = ended {
                tracing::error!(%error, "HTTP ended");
            }
        })?;
        let handle = told.recv().map_err(|_| io::Error::other("the thread of HTTP ended at once"))?;
        Ok(Self { handle })
    }

    /// Ends it; what is being answered is answered first, for a moment.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        // It is told by the call; only to wait for it takes the future.
        drop(self.handle.stop(false));
    }
}

fn server(listeners: Vec<TcpListener>, source: Arc<dyn Source>) -> io::Result<Server> {
    let source = web::Data::from(source);
    let mut server =
        actix_web::HttpServer::new(move || App::new().app_data(source.clone()).configure(routes))
            .workers(1)
            .max_connections(CONNECTIONS_MAX)
            .client_request_timeout(REQUEST_TIME)
            .client_disconnect_timeout(LINGER)
            .keep_alive(IDLE)
            .shutdown_timeout(LINGER.as_secs())
            .disable_signals();
    for listener in listeners {
        server = server.listen(listener)?;
    }
    Ok(server.run())
}

fn routes(app: &mut web::ServiceConfig) {
    app.service(web::resource("/health").route(web::get().to(health)).route(web::head().to(health)))
        .service(web::resource("/ready").route(web::get().to(ready)).route(web::head().to(ready)))
        .service(web::resource("/metrics").route(web::get().to(metrics)).route(web::head().to(metrics)));
}

/// That there is an answer says it all.
async fn health() -> HttpResponse {
    answer(StatusCode::OK, TEXT, "ok\n".to_owned())
}

async fn ready(source: web::Data<dyn Source>) -> HttpResponse {
    match in_time(source.ready()).await.and_then(|ready| ready) {
        Ok(()) => answer(StatusCode::OK, TEXT, "ready\n".to_owned()),
        Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

async fn metrics(source: web::Data<dyn Source>) -> HttpResponse {
    match in_time(source.metrics()).await {
        Ok(metrics) => answer(StatusCode::OK, metrics::MEDIA_TYPE, metrics::text(&metrics)),
        Err(why) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

/// What is asked of the rest of the server, unless it takes too long.
async fn in_time<T>(told: impl Future<Output = T>) -> Result<T, String> {
    timeout(SOURCE_TIME, told)
        .await
        .map_err(|_| format!("no answer within {} seconds", SOURCE_TIME.as_secs()))
}

/// Nothing of it may be kept by whoever stands between: it is true now.
fn answer(status: StatusCode, media_type: &str, body: String) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    answer.insert_header((CONTENT_TYPE, media_type)).insert_header((CACHE_CONTROL, "no-store")).body(body)
}
