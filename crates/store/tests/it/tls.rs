//! TLS to the database: verified, or not at all.

use crate::engines::{append, set};
use crate::members::romeo;
use crate::postgres::Server;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::time::Duration;
use stentor_engine::Batch;
use stentor_store::postgres::{Postgres, PostgresConfig};
use tokio_postgres::NoTls;

/// Gives the server a certificate, by its own SQL: its files are not for this user.
async fn certify(url: &str, pair: &CertifiedKey<rcgen::KeyPair>) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    for (file, pem) in [("server.crt", pair.cert.pem()), ("server.key", pair.signing_key.serialize_pem())] {
        let lines = format!("SELECT unnest(string_to_array($pem${}$pem$, E'\\n'))", pem.trim());
        let copy = format!("COPY ({lines}) TO PROGRAM 'umask 077; cat >{file}'");
        client.batch_execute(&copy).await.unwrap();
    }
    client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
}

/// How many connections of this program are there, and how many of them by TLS.
async fn connections(url: &str) -> (i64, i64) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let sql = "SELECT count(*), count(*) FILTER (WHERE ssl) \
               FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'stentor'";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pair = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let other = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let misnamed = generate_simple_self_signed(["db.example.org".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let authority = file("authority.pem", pair.cert.pem());
    let config = |ca_file, is_tls| PostgresConfig {
        is_tls: Some(is_tls),
        ca_file: Some(ca_file),
        patience: Duration::from_millis(100),
        ..PostgresConfig::new(&server.url)
    };
    let open =
        |config: &PostgresConfig| Postgres::open(config).map(|_| ()).map_err(|error| error.to_string());
    let refused = open(&config(authority.clone(), true)).unwrap_err();
    assert!(refused.contains("TLS"), "a server without TLS: {refused}");

    runtime.block_on(certify(&server.url, &pair));
    server.restart();
    let postgres = Postgres::open(&config(authority.clone(), true)).unwrap();
    let mut lane = postgres.alone().unwrap();
    let sets = vec![set(&romeo(), vec![append(1, "x")])];
    assert_eq!(lane.commit(&Batch { number: 1, sets }), []);
    assert_eq!(runtime.block_on(connections(&server.url)), (2, 2), "all of them by TLS");
    drop((lane, postgres));

    let refused = open(&config(file("other.pem", other.cert.pem()), true)).unwrap_err();
    assert!(refused.contains("certificate"), "another authority: {refused}");
    runtime.block_on(certify(&server.url, &misnamed));
    server.restart();
    let refused = open(&config(file("misnamed.pem", misnamed.cert.pem()), true)).unwrap_err();
    assert!(refused.contains("certificate"), "another name: {refused}");
    assert_eq!(open(&config(authority, false)), Ok(()), "where TLS is off, nobody asks");
}
