//! A database of version 1 is brought to what this program has, with all that is in it. Its rows stand here as that
//! version wrote them.

use crate::engines::{ROSTER, after, append, is_log, is_record, is_tail, put, record, set, user};
use crate::members::{Bench, entry, info, romeo, slot};
use crate::postgres::Server;
use stentor_engine::{
    Batch, CommitError, Epoch, Expect, Member, MemberId, Owner, Query, RegisterReply, RegisterRequest,
};
use stentor_store::postgres::{Postgres, PostgresConfig, PostgresError};
use tokio_postgres::{NoTls, Row};

const VERSION_1: &str = include_str!("../../src/postgres/sql/0001.sql");

/// A server alone has written two batches.
const ALONE: &str = r"
    UPDATE cluster SET secret = decode(repeat('07', 32), 'hex');
    INSERT INTO lanes VALUES (0, 0, 2, 1, '{}', '{}');
    INSERT INTO owners VALUES
        ('uromeo@example.org', 'uromeo@example.org', 1140, 3),
        ('ujuliet@example.org', 'ujuliet@example.org', 1478, 7);
    INSERT INTO records VALUES
        ('uromeo@example.org', 'roster', 'juliet@example.org', NULL, 2, 'to'),
        ('ujuliet@example.org', 'roster', repeat('k', 1869)::bytea || sha256(repeat('k', 3000)::bytea),
            repeat('k', 3000)::bytea, 1, 'long');
    INSERT INTO log VALUES
        ('uromeo@example.org', 1, 'first'), ('uromeo@example.org', 2, 'second'), ('ujuliet@example.org', 7, '\xc3a9');
";

/// Two members, of which the first has given a slot to the second, and has been refused there.
const MEMBERS: &str = r#"
    UPDATE cluster SET version = 4, last_member = 2;
    INSERT INTO members VALUES
        (1, 'one', '{"name":"one","link":"127.0.0.1:7000","gossip":"[::1]:7001","weight":100,"wire":[1,2],"settings":18446744073709551614}', false, 2),
        (2, 'two', '{"name":"two","link":"127.0.0.1:7000","gossip":"[::1]:7001","weight":100,"wire":[1,2],"settings":18446744073709551614}', true, 1);
    INSERT INTO slots VALUES (1140, 1, 1), (1478, 2, 2);
    INSERT INTO lanes VALUES (1, 0, 2, 1, '{1}', '{}'), (2, 0, 0, 0, '{}', '{}');
    INSERT INTO owners VALUES ('uromeo@example.org', 'uromeo@example.org', 1140, 2);
    INSERT INTO log VALUES ('uromeo@example.org', 1, 'x'), ('uromeo@example.org', 2, 'x');
"#;

/// Carries out statements among the tables, by somebody else than the program under test.
fn execute(server: &Server, config: &PostgresConfig, sql: &str) {
    on_tables(server, config, async |client| client.batch_execute(sql).await.unwrap());
}

fn one_row(server: &Server, config: &PostgresConfig, sql: &str) -> Row {
    on_tables(server, config, async |client| client.query_one(sql, &[]).await.unwrap())
}

fn on_tables<T>(
    server: &Server,
    config: &PostgresConfig,
    run: impl AsyncFnOnce(&tokio_postgres::Client) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&server.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let path = format!("SET search_path TO \"{}\"", config.schema);
        client.batch_execute(&path).await.unwrap();
        run(&client).await
    })
}

/// Tables of version 1 with these rows.
fn of_version_1(server: &Server, rows: &str) -> PostgresConfig {
    let config = server.config();
    let schema = format!(
        "CREATE SCHEMA \"{}\";
         CREATE TABLE schema_version (
             is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), version integer NOT NULL
         );
         INSERT INTO schema_version (version) VALUES (1);",
        config.schema
    );
    execute(server, &config, &(schema + VERSION_1 + rows));
    config
}

fn version(server: &Server, config: &PostgresConfig) -> i32 {
    one_row(server, config, "SELECT version FROM schema_version").get(0)
}

/// That of tables which the program has just made.
fn current(server: &Server) -> i32 {
    let config = server.config();
    Postgres::open(&config).unwrap();
    version(server, &config)
}

#[test]
fn records_and_logs_are_kept() {
    let Some(server) = Server::shared() else { return };
    let config = of_version_1(server, ALONE);
    let postgres = Postgres::open(&config).unwrap();
    assert_eq!(version(server, &config), current(server));
    assert_eq!(postgres.secret([9; 32]).unwrap(), [7; 32]);
    let mut lane = postgres.alone().unwrap();
    let (juliet, long) = (user("juliet@example.org"), "k".repeat(3_000));
    for (owner, query, expected) in [
        (&romeo(), record(ROSTER, "juliet@example.org"), is_record("juliet@example.org", 2, "to")),
        (&romeo(), after(0, 9), is_log(&[(1, "first"), (2, "second")])),
        (&romeo(), Query::Tail, is_tail(3)),
        (&juliet, record(ROSTER, &long), is_record(&long, 1, "long")),
        (&juliet, after(0, 9), is_log(&[(7, "é")])),
    ] {
        assert_eq!(
            lane.reader().query(owner, std::slice::from_ref(&query)),
            [expected],
            "{owner:?}: {query:?}"
        );
    }
    // It goes on from there.
    let writes = vec![put(ROSTER, "juliet@example.org", "both", Expect::Version(2)), append(4, "fourth")];
    assert_eq!(lane.commit(&Batch { number: 1, sets: vec![set(&romeo(), writes)] }), []);
    drop(Postgres::open(&config).unwrap());
    assert_eq!(
        lane.reader().query(&romeo(), &[after(1, 9), record(ROSTER, "juliet@example.org")]),
        [is_log(&[(2, "second"), (4, "fourth")]), is_record("juliet@example.org", 3, "both")]
    );
}

#[test]
fn members_keep_their_slots_leases_and_lanes() {
    let Some(server) = Server::shared() else { return };
    let postgres = Postgres::open(&of_version_1(server, MEMBERS)).unwrap();
    let taken = postgres.alone().map(|_| ()).unwrap_err();
    assert!(matches!(&taken, PostgresError::HasMembers(member) if member == "one"), "{taken}");
    // Of which cluster they are, version 1 did not say: they do, as they start again.
    postgres.claim("capulet").unwrap();
    let refused = postgres.claim("montague").unwrap_err();
    assert!(matches!(&refused, PostgresError::OtherCluster(name) if name == "capulet"), "{refused}");

    let (one, two) = (MemberId(1), MemberId(2));
    let (shared, other) = (Box::new(postgres.clone()), Box::new(postgres));
    let mut bench = Bench { name: "version 1", shared, other };
    let table = bench.table();
    let member = |name, is_draining| Member { info: info(name), is_draining };
    let members = [(&one, &member("one", false)), (&two, &member("two", true))];
    assert_eq!(table.members().iter().collect::<Vec<_>>(), members);
    for (number, member, epoch) in [(1_140, Some(one), 1), (1_478, Some(two), 2), (0, None, 0)] {
        assert_eq!(table.owner(slot(number)), Owner { member, epoch: Epoch(epoch) }, "{number}");
    }
    bench.check(
        RegisterRequest::Leases,
        RegisterReply::Leases { version: 4, counters: vec![(one, 2), (two, 1)] },
    );
    bench.check(RegisterRequest::Renew(one), RegisterReply::Renewed { version: 4 });

    // Its last batch has the verdict that it had, and the next is taken.
    let juliet = user("juliet@example.org");
    let mut lane = bench.lane(one);
    lane.number = 1;
    let refused = [(juliet.clone(), CommitError::Fenced)];
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 2), entry(&juliet, 1, 1)]), refused);
    assert_eq!(lane.tail(&romeo()), 2);
    assert_eq!(lane.commit(vec![entry(&romeo(), 1, 3)]), []);
    assert_eq!(bench.lane(two).commit(vec![entry(&juliet, 2, 1)]), []);
    let three = bench.join("three");
    assert_eq!(three, MemberId(3));
}

#[test]
fn several_bring_it_up_to_date_at_once() {
    let Some(server) = Server::shared() else { return };
    let config = of_version_1(server, MEMBERS);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| Postgres::open(&config).unwrap().claim("capulet").unwrap());
        }
    });
    assert_eq!(version(server, &config), current(server));
}

/// Two versions of the program on one database: the older says what to do, and changes nothing.
#[test]
fn a_newer_database_is_refused() {
    let Some(server) = Server::shared() else { return };
    let config = of_version_1(server, ALONE);
    Postgres::open(&config).unwrap();
    let current = current(server);
    execute(server, &config, "UPDATE schema_version SET version = version + 1");
    let refused = Postgres::open(&config).map(|_| ()).unwrap_err();
    let PostgresError::Newer { found, known } = refused else { panic!("{refused}") };
    assert_eq!((found, known), (current + 1, current));
    let told = refused.to_string();
    assert!(
        told.contains(&found.to_string()) && told.contains("use a later version of this program"),
        "{told}"
    );
    assert_eq!(version(server, &config), found);
    let rows: i64 = one_row(server, &config, "SELECT count(*) FROM log").get(0);
    assert_eq!(rows, 3);
}
