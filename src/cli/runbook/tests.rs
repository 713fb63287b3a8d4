//! Two walks on scenes, as the transcript tells them.

use jiff::Timestamp;

use super::transcript::told;
use crate::cli::output::Style;
use crate::domain::health::scene::{Scene, ago, now};
use crate::domain::health::{Limits, judge};
use crate::domain::sample::Receiver;
use crate::procedure::question::{Asked, Question, Replies, Reply, Told};
use crate::procedure::runbook::answer::{gone, questions};
use crate::procedure::runbook::{Runbooks, Sight, about, step_view};

const PLAIN: Style = Style { colour: false, terminal: false };

/// An answer for every question: one row that says what was asked.
fn replies(asked: Vec<Asked>, at: Timestamp) -> Replies {
    let reply = |question: &Question| match question {
        Question::Sql { monitor, .. } => Ok(Told::Rows {
            columns: vec!["answer".into()],
            rows: vec![vec![Some(if *monitor { "seen by a monitor" } else { "seen by all" }.into())]],
            more: false,
        }),
        Question::Metric { .. } => Ok(Told::Number(1.0)),
    };
    asked
        .into_iter()
        .map(|a| (a.clone(), Reply { at, told: reply(&a.question), by: format!("{} by a test", a.of) }))
        .collect()
}

fn transcript(name: &str, scene: &Scene) -> String {
    let (facts, limits) = (scene.facts(), Limits::default());
    let health = judge(&facts, &scene.cluster, None, &limits, now());
    let runbooks = Runbooks::shipped();
    let runbook = runbooks.get(name).unwrap();
    assert!(runbooks.applies(&health).iter().any(|r| r.name == name), "the verdict leads there: {health:#?}");
    let look = Sight {
        facts: &facts,
        cluster: &scene.cluster,
        health: &health,
        happenings: None,
        limits: &limits,
        about: None,
        now: now(),
    };
    let meant = about(&look, &runbook.when);
    let look = Sight { about: meant.as_ref(), ..look };
    let asked = runbook.steps.iter().flat_map(|step| questions(step, &look)).collect();
    let replies = replies(asked, ago(1));
    let views: Vec<_> = (0..runbook.steps.len()).filter_map(|n| step_view(runbook, n, &look, &replies)).collect();
    told(runbook, &look, &views, &gone(runbook, &look), PLAIN)
}

#[test]
fn archiving_that_fails() {
    let mut scene = Scene::healthy();
    let a = scene.leads().archiver.as_mut().unwrap();
    (a.failed, a.last_failed, a.ready) = (9, Some(("000000020000000000000005".into(), ago(5))), Some(7));
    a.last_archived = Some(("000000020000000000000004".into(), ago(900)));
    insta::assert_snapshot!("archiving", transcript("wal-archiving-failing", &scene));
}

#[test]
fn a_standby_without_its_stream() {
    let mut scene = Scene::healthy();
    scene.leads().standbys.retain(|r| r.name != "pg-3");
    scene.says(3).receiver = Some(Receiver::default());
    insta::assert_snapshot!("standby", transcript("replication-does-not-work", &scene));
}
