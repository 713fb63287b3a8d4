//! Fingerprints of a real server's tables. Skipped, and said so, where no PostgreSQL server is installed.

use std::time::Duration;

use super::prints::{self, TABLES};
use super::tongue::Tongue;
use crate::adapters::postgres::tests::{Place, dsn, open, sql};
use crate::domain::trial::{Prints, Verdict, compare};

const PATIENCE: Duration = Duration::from_secs(20);
const MOST: u64 = 1 << 20;

async fn look(tongue: &Tongue) -> Prints {
    let list = tongue.one(TABLES, PATIENCE).await.unwrap().unwrap();
    let tables = prints::tables(&list).unwrap();
    let put = prints::statements(&tables, MOST, 20_000);
    let said = tongue.ask(&put, PATIENCE).await.unwrap();
    prints::read(&tables, MOST, &said).unwrap()
}

#[tokio::test]
async fn a_fingerprint_is_that_of_the_contents_alone() {
    let Some(place) = Place::find() else {
        eprintln!("skipped: no PostgreSQL server is installed");
        return;
    };
    let data = place.data("prints");
    let made = place.program("initdb").arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-N"]).status();
    assert!(made.unwrap().success(), "initdb");
    let server = place.serve(&data);
    drop(open(server.port, "postgres").await);
    sql(
        server.port,
        "CREATE TABLE up AS SELECT g AS id, g::text AS t FROM generate_series(1, 500) g; \
         CREATE TABLE down AS SELECT g AS id, g::text AS t FROM generate_series(500, 1, -1) g; \
         CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 2); CREATE TABLE nothing (); \
         CREATE TABLE \"a \"\"b\" (at timestamptz, x float8, b bytea, n text); \
         INSERT INTO \"a \"\"b\" VALUES ('2026-01-01 00:00+00', 0.1, '\\x00ff', null); \
         CREATE TABLE large AS SELECT g AS id, repeat('x', 200) AS t FROM generate_series(1, 10000) g; \
         CREATE UNLOGGED TABLE gone (); CREATE TABLE howdah_drill_1 (); \
         CREATE TABLE secret AS SELECT 1 AS n; CREATE ROLE plain LOGIN; \
         GRANT SELECT ON up, down, twice, nothing, \"a \"\"b\", large, gone TO plain; \
         ALTER DATABASE postgres SET timezone = 'Asia/Tokyo'; ALTER DATABASE postgres SET datestyle = 'German'",
    )
    .await;
    let all = Tongue::by_dsn(&dsn(server.port, "postgres")).await;
    let before = look(&all).await;
    assert_eq!(before["public.up"].sum, before["public.down"].sum, "the order of rows does not matter");
    assert_eq!((before["public.up"].rows, before["public.nothing"].rows), (Some(500), Some(0)));
    assert_ne!(before["public.twice"].sum, Some("0".into()), "two rows of the same contents do not cancel out");
    assert_eq!((before["public.large"].rows, &before["public.large"].sum), (Some(10_000), &None));
    assert!(before["public.gone"].without.as_ref().unwrap().starts_with("unlogged"));
    assert!(before.contains_key("public.\"a \"\"b\"") && !before.contains_key("public.howdah_drill_1"));

    // Another login, with other settings of its own, sees the same of what it may see.
    sql(server.port, "ALTER ROLE plain SET timezone = 'UTC'; ALTER ROLE plain SET extra_float_digits = 0").await;
    let plain = look(&Tongue::by_dsn(&dsn(server.port, "plain")).await).await;
    assert_eq!(plain["public.\"a \"\"b\""], before["public.\"a \"\"b\""]);
    assert!(plain["public.secret"].without.as_ref().unwrap().contains("permission denied"), "{plain:?}");
    assert_eq!(plain["public.up"], before["public.up"], "one that may not be read does not spoil the others");

    // A single changed value is seen; a row that moved to another page is not one.
    sql(server.port, "UPDATE up SET t = 'x' WHERE id = 7; UPDATE down SET t = t WHERE id < 100; DROP TABLE twice")
        .await;
    let after = look(&all).await;
    assert_ne!(after["public.up"].sum, before["public.up"].sum);
    assert_eq!(after["public.down"], before["public.down"]);
    let found = compare(&before, &before, &after);
    let verdict = |name: &str| found[name].verdict;
    assert_eq!(verdict("public.up"), Verdict::Different);
    assert_eq!(verdict("public.twice"), Verdict::Different);
    assert_eq!((verdict("public.down"), verdict("public.large")), (Verdict::Same, Verdict::Counted));
    assert_eq!(verdict("public.gone"), Verdict::Skipped);

    // A statement that fails leaves the session whole.
    let said = all.ask(&["SELECT 1/0".into(), "SELECT 'still here'".into()], PATIENCE).await.unwrap();
    assert_eq!(said, [Err("division by zero".into()), Ok(Some("still here".into()))]);
}
