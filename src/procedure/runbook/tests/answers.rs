//! Answers of checks and values on scenes.

use super::super::answer::{gone, questions};
use super::super::language::{Datum, Kind, comparison};
use super::super::values::{all, meaning, read};
use super::super::{Answer, How, Look, Runbooks, fill, for_shell, judge};
use super::{Stage, runbook};
use crate::domain::cluster::VolumePurpose;
use crate::domain::facts::Fact;
use crate::domain::health::scene::{ago, name, now};
use crate::domain::sample::*;
use crate::domain::source::{NOT_INSTALLED, SourceHealth, SourceId, SourceState};
use crate::procedure::question::{Replies, Reply, Told};

fn ask(stage: &Stage, text: &str) -> Answer {
    let read = comparison(text, |n| meaning(n).map(|m| m.kind)).unwrap();
    let look = Look { title: "x".into(), how: How::Value(read) };
    judge(&look, &stage.sight(), &Replies::new()).answer.unwrap()
}

fn unknown(answer: Answer) -> String {
    match answer {
        Answer::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_value_can_be_read_on_any_scene() {
    let stages = [
        Stage::healthy().about("pg-2"),
        Stage::with(|s| s.sql.clear()),
        Stage::with(|s| s.cluster.instances.iter_mut().for_each(|i| i.pod = None)),
        Stage::with(|s| s.watched = None),
    ];
    for stage in &stages {
        for (name, meaning) in all() {
            let items = read(&stage.sight(), &name);
            assert!(meaning.many || items.len() == 1, "{name}: {items:?}");
            for item in items {
                let fits = |value: &Datum| {
                    matches!(
                        (meaning.kind, value),
                        (_, Datum::Nothing)
                            | (Kind::Flag, Datum::Flag(_))
                            | (Kind::Count, Datum::Number(_))
                            | (Kind::Bytes, Datum::Bytes(_))
                            | (Kind::Percent, Datum::Percent(_))
                            | (Kind::Time, Datum::Time(_))
                            | (Kind::Text | Kind::Reason, Datum::Text(_))
                    )
                };
                assert!(item.value.as_ref().is_ok_and(fits) || item.value.is_err(), "{name}: {:?}", item.value);
            }
        }
    }
}

#[test]
fn a_healthy_cluster_answers() {
    let stage = Stage::healthy().about("pg-2");
    for yes in [
        "primary.answers = yes",
        "primary.takes-writes = yes",
        "every standbys.streaming = yes",
        "every standbys.lag < 64 MiB",
        "every instances.ready = yes",
        "instance.streaming = yes",
        "instance.node = node2",
        "sync.met = yes",
        "archiver.working = yes",
        "archiver.age < 10 min",
        "writes.lead-to-primary = yes",
        "operator.running = yes",
        "slots.inactive = none",
        "cluster.reasons = none",
        "every zones.ready = yes",
        "zones.used = 3",
    ] {
        assert_eq!(ask(&stage, yes), Answer::Yes, "{yes}");
    }
    for no in ["standbys.paused = yes", "slots.inactive >= 256 MiB", "cluster.moving = yes", "instance.trouble != none"]
    {
        assert_eq!(ask(&stage, no), Answer::No, "{no}");
    }
}

#[test]
fn any_and_every_and_what_cant_be_told() {
    let stage = Stage::with(|s| {
        s.leads().standbys.retain(|r| r.name != "pg-3");
        s.says(3).receiver = Some(Receiver::default());
    });
    assert_eq!(ask(&stage, "standbys.streaming = yes"), Answer::Yes, "one does");
    assert_eq!(ask(&stage, "every standbys.streaming = yes"), Answer::No, "one does not");
    let stale = Stage::with(|s| s.sampled = jiff::SignedDuration::from_secs(90));
    assert!(unknown(ask(&stale, "every standbys.streaming = yes")).contains("old"));
    let blind = Stage::with(|s| (1..=3).for_each(|n| s.silent(n, SilenceKind::Forbidden)));
    assert!(unknown(ask(&blind, "primary.answers = yes")).contains("as the test wants it"));
    let unwatched = Stage::with(|s| s.watched = Some(jiff::SignedDuration::from_mins(3)));
    assert!(unknown(ask(&unwatched, "cluster.phase = x")).contains("nothing was heard"));
    assert!(unknown(ask(&Stage::healthy(), "instance.ready = yes")).contains("--instance"));
    assert!(unknown(ask(&Stage::healthy(), "primary.disk-wal < 80 %")).contains("not been asked"));
}

#[test]
fn where_there_is_none_nothing_is_too_large() {
    let stage = Stage::with(|s| s.cluster.backups.last_successful = None);
    assert_eq!(ask(&stage, "backup.age = none"), Answer::Yes);
    assert_eq!(ask(&stage, "backup.age < 26 h"), Answer::No);
    assert_eq!(ask(&stage, "every slots.inactive < 256 MiB"), Answer::Yes);
}

#[test]
fn figures_of_an_incident() {
    let stage = Stage::with(|s| {
        let a = s.leads().archiver.as_mut().unwrap();
        (a.failed, a.last_failed, a.ready) = (9, Some(("000000020000000000000005".into(), ago(5))), Some(7));
        let disk = DiskReading { purpose: VolumePurpose::Wal, used: 95, size: 100, source: "a test".into() };
        s.metrics.insert(name(1), Ok(MetricsSample { disks: vec![disk], ..MetricsSample::default() }));
        s.leads().connections = Some((90, 100));
    });
    for yes in [
        "archiver.working = no",
        "archiver.ready > 4",
        "archiver.failed = 000000020000000000000005",
        "primary.disk-wal >= 90 %",
        "primary.connections = 90 %",
        "cluster.reasons = disk-filling",
    ] {
        assert_eq!(ask(&stage, yes), Answer::Yes, "{yes}");
    }
    assert_eq!(gone(Runbooks::shipped().get("wal-volume-filling").unwrap(), &stage.sight()), Answer::No);
    let calm = Stage::healthy();
    assert_eq!(gone(Runbooks::shipped().get("wal-volume-filling").unwrap(), &calm.sight()), Answer::Yes);
    let blind = Stage::with(|s| s.sql.clear());
    assert!(matches!(gone(Runbooks::shipped().get("wal-volume-filling").unwrap(), &blind.sight()), Answer::Unknown(_)));
}

#[test]
fn the_worst_reason_comes_first() {
    let stage = Stage::with(|s| {
        s.leads().connections = Some((90, 100));
        s.cluster.fenced = crate::domain::cluster::Fenced::All;
    });
    let all = Runbooks::shipped();
    let names: Vec<_> = all.applies(&stage.health).into_iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names.first(), Some(&"stopped-on-purpose"), "{names:?}");
    assert!(all.applies(&Stage::healthy().health).is_empty());
}

#[test]
fn questions_and_their_replies() {
    let r = runbook(
        r#"
title = "x"
[[step]]
title = "y"
look = [
  { title = "rows", sql = "SELECT pid FROM a", rows = "> 1" },
  { title = "first", sql = "SELECT true", holds = "= yes" },
  { title = "metric", metric = "m", holds = "> 2", on = "instance" },
  { title = "shown", ask = "slots" },
]
"#,
    );
    let stage = Stage::healthy().about("pg-3");
    let sight = stage.sight();
    let asked = questions(&r.steps[0], &sight);
    let whom: Vec<_> = asked.iter().map(|a| a.of.to_string()).collect();
    assert_eq!(whom, ["pg-1", "pg-1", "pg-3", "pg-1"]);
    let mut replies = Replies::new();
    let judged = |replies: &Replies, n: usize| judge(&r.steps[0].look[n], &sight, replies);
    assert_eq!(judged(&replies, 0).answer, Some(Answer::Unknown("not asked yet".into())));
    let mut told = |n: usize, told: Result<Told, String>| {
        replies.insert(asked[n].clone(), Reply { at: ago(2), told, by: "a test".into() });
    };
    let rows = |n: usize, cell: &str| Told::Rows {
        columns: vec!["c".into()],
        rows: vec![vec![Some(cell.to_owned())]; n],
        more: false,
    };
    told(0, Ok(rows(2, "7")));
    told(1, Ok(rows(1, "true")));
    told(2, Ok(Told::Number(1.5)));
    told(3, Err("may not be asked".into()));
    assert_eq!(judged(&replies, 0).answer, Some(Answer::Yes));
    assert_eq!(judged(&replies, 0).evidence, ["2 rows (a test, 2s ago)"]);
    assert_eq!(judged(&replies, 0).rows, [["c"], ["7"], ["7"]]);
    assert_eq!(judged(&replies, 1).answer, Some(Answer::Yes));
    assert_eq!(judged(&replies, 2).answer, Some(Answer::No));
    assert_eq!(
        (judged(&replies, 3).answer, judged(&replies, 3).evidence),
        (None, vec!["unknown: may not be asked".into()])
    );
    replies.insert(asked[2].clone(), Reply { at: now(), told: Ok(Told::NoSuchMetric), by: "a test".into() });
    assert_eq!(judged(&replies, 2).answer, Some(Answer::Unknown("no such metric is exported".into())));
}

fn tells(stage: &mut Stage, id: SourceId, state: SourceState) {
    stage.facts.absorb(Fact::Source(id, SourceHealth { state, proven: Some(ago(1)) }));
}

#[test]
fn what_is_not_installed_is_no_source_that_fails() {
    let mut stage = Stage::healthy();
    let watch = |kind: &str| SourceId::Watch("aks".into(), kind.into());
    tells(&mut stage, watch("objectstores"), SourceState::Absent(format!("{NOT_INSTALLED} objectstores in x/v1")));
    assert_eq!(ask(&stage, "every sources.failing = none"), Answer::Yes);
    tells(&mut stage, watch("leases"), SourceState::Absent("no permission to list and watch leases".into()));
    assert_eq!(ask(&stage, "every sources.failing = none"), Answer::No);
}

#[test]
fn an_api_whose_watches_all_fail_does_not_answer() {
    let mut stage = Stage::healthy();
    assert_eq!(ask(&stage, "kubernetes.answers = yes"), Answer::Yes);
    let failing = || SourceState::Failing { why: "Connection refused".into(), again_at: now(), try_this: None };
    let watch = |kind: &str| SourceId::Watch("aks".into(), kind.into());
    tells(&mut stage, watch("objectstores"), SourceState::Absent(format!("{NOT_INSTALLED} objectstores in x/v1")));
    tells(&mut stage, watch("pods"), SourceState::Live);
    tells(&mut stage, watch("leases"), failing());
    assert_eq!(ask(&stage, "kubernetes.answers = yes"), Answer::Yes, "one of them is that kind's own trouble");
    tells(&mut stage, watch("pods"), failing());
    assert_eq!(ask(&stage, "kubernetes.answers = yes"), Answer::No);
}

#[test]
fn placeholders_are_filled_or_stay_visible() {
    let stage = Stage::healthy();
    let sight = stage.sight();
    assert_eq!(fill("{primary} of {namespace}/{cluster}: {instance}", &sight), "pg-1 of db/pg: <instance>");
    let stage = Stage::healthy().about("pg-3");
    let sight = stage.sight();
    assert_eq!(fill("{instance} {node} {zone} {slot} {standby}", &sight), "pg-3 node3 z3 _cnpg_pg_3 pg-2");
    assert_eq!(
        for_shell("kubectl exec -n {namespace} {primary} -- psql -c 'x'", &sight),
        "kubectl exec -n db pg-1 --context aks -- psql -c 'x'"
    );
    assert_eq!(for_shell("kubectl get pods | grep x", &sight), "kubectl get pods --context aks | grep x");
    assert_eq!(for_shell("az account show", &sight), "az account show");
}
