//! A failover drill of the calm cluster as its journal tells it: while writes fail, and to its end.

use howdah::app::{Msg, RunNews};
use howdah::domain::facts::{Fact, Facts};
use howdah::domain::fault::Standing;
use howdah::domain::heartbeat::{Beat, Outage, Pulse, Tally};
use howdah::domain::names::ClusterKey;
use howdah::domain::trial::{Compared, Comparison, Learned, Recovered, Verdict};
use howdah::procedure::catalog::View;
use howdah::procedure::catalog::drills::{self, Blow, DrillWish};
use howdah::procedure::drill::Objectives;
use howdah::procedure::{Answer, By, Entry, Kind, Outcome, Plan, RunId, Summary, What};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use super::{ago, key, now};

/// The cluster that is drilled.
pub fn cluster() -> ClusterKey {
    key("cnpg-database", "pg-primary")
}

pub fn run() -> RunId {
    RunId::from("20261121-094105-failover-drill-pg-primary-k3f9")
}

/// What is looked at before it begins.
pub fn plan(blow: Blow) -> Plan {
    let mut facts = Facts::default();
    for fact in super::fresh() {
        facts.absorb(fact);
    }
    let wish = DrillWish {
        cluster: cluster(),
        blow,
        back: false,
        objectives: Objectives::default(),
        beat: drills::Beat::default(),
        because: None,
    };
    let view = View { facts: &facts, history: None, limits: &Default::default(), now: ago(25) };
    drills::plan(&wish, view).unwrap()
}

/// When the blow falls.
pub fn struck() -> Timestamp {
    ago(4)
}

fn after(ms: i64) -> Timestamp {
    struck() + SignedDuration::from_millis(ms)
}

fn by() -> By {
    By { user: "ann".into(), host: "laptop".into(), howdah: "0.1.0".into(), through: "console".into(), ..By::default() }
}

/// The journal until shortly after the blow.
pub fn begun() -> Vec<Entry> {
    let plan = plan(Blow::Failover);
    let request = |step: &str| plan.step(&step.into()).and_then(|s| s.order.as_ref()).map(|o| o.request());
    let seen = |ms: i64, mark: &str, text: &str| Entry {
        at: after(ms + 20),
        what: What::Observed { mark: mark.into(), seen: after(ms), text: text.into() },
    };
    let at = |at: Timestamp, what: What| Entry { at, what };
    vec![
        at(ago(25), What::Opened { run: run(), plan: Box::new(plan.clone()), by: by() }),
        at(ago(25), What::Granted { step: "strike".into(), how: "yes, to the plan as it was shown".into() }),
        at(ago(24), What::Began { step: "beat".into(), request: request("beat") }),
        at(ago(22), What::Accepted { step: "beat".into(), answer: Answer::Begun }),
        at(ago(20), What::Proven { step: "beat".into(), evidence: vec!["50 writes acknowledged".into()] }),
        at(after(0), What::Began { step: "strike".into(), request: request("strike") }),
        at(
            after(30),
            What::Accepted {
                step: "strike".into(),
                answer: Answer::Taken { version: "4802".into(), uid: "u1".into() },
            },
        ),
        seen(110, "writes-nowhere", "pg-primary-rw leads nowhere"),
        seen(420, "undecided", "the operator's target is pending"),
        seen(830, "target", "the operator's target is pg-primary-2"),
        seen(1_260, "lease-taken", "pg-primary-2 holds the lease"),
    ]
}

/// The rest of it.
pub fn ended() -> Vec<Entry> {
    let seen = |ms: i64, mark: &str, text: &str| Entry {
        at: after(ms + 20),
        what: What::Observed { mark: mark.into(), seen: after(ms), text: text.into() },
    };
    let proven = |ms: i64, step: &str, evidence: &str| Entry {
        at: after(ms),
        what: What::Proven { step: step.into(), evidence: vec![evidence.into()] },
    };
    let began = |ms: i64, step: &str| Entry { at: after(ms), what: What::Began { step: step.into(), request: None } };
    let tally = Tally {
        acknowledged: 4_812,
        unknown_there: 1,
        unknown_gone: 2,
        refused: 214,
        reads: (3_107, 12),
        outages: vec![Outage { from: after(40), to: Some(after(3_940)) }],
        longest: SignedDuration::from_millis(3_900),
        resolution: SignedDuration::from_millis(20),
        via: "app through a port-forward".into(),
        ..Tally::default()
    };
    let mut all = begun();
    all.extend([
        seen(2_730, "promoted", "pg-primary-2 is out of recovery by SQL, timeline 3"),
        seen(3_110, "primary", "the operator's primary is pg-primary-2"),
        seen(3_350, "writes-moved", "pg-primary-rw leads to pg-primary-2"),
        proven(3_400, "strike", "pg-primary-2 leads on timeline 3"),
        began(3_400, "first-write"),
        proven(3_990, "first-write", "a write was acknowledged"),
        began(3_990, "redundant"),
        seen(9_800, "streaming", "pg-primary-1 streams"),
        proven(15_200, "redundant", "2 of 2 standbys stream"),
        began(15_210, "settled"),
        proven(16_400, "settled", "50 writes acknowledged"),
        began(16_410, "count"),
        Entry {
            at: after(16_900),
            what: What::Accepted { step: "count".into(), answer: Answer::Counted(Box::new(tally)) },
        },
        began(16_910, "sweep"),
        Entry { at: after(17_000), what: What::Accepted { step: "sweep".into(), answer: Answer::Done } },
        Entry { at: after(17_010), what: What::Closed { outcome: Outcome::Passed } },
    ]);
    all
}

/// The heartbeat a moment after the world is looked at: writes fail since the blow.
pub fn pulse() -> Fact {
    let mut slices = vec![Beat::Acknowledged; 180];
    slices.extend([Beat::Unknown]);
    slices.extend(vec![Beat::Refused; 42]);
    let pulse = Pulse {
        since: ago(22),
        at: now() + SignedDuration::from_millis(300),
        acknowledged: 3_544,
        refused: 214,
        unknown: 3,
        reads: (1_702, 12),
        last: Some(after(40)),
        slices,
        outages: vec![Outage { from: after(40), to: None }],
        trouble: Some("no instance takes writes: pg-primary-rw leads nowhere".into()),
        via: "app through a port-forward".into(),
    };
    Fact::Heartbeat(cluster(), Arc::new(pulse))
}

/// A console that drives it.
pub fn under_way() -> Vec<Msg> {
    vec![Msg::Run(RunNews::Open(run(), begun())), Msg::Facts(vec![pulse()])]
}

/// A drill that was done before, in a line and as its journal: so many days ago, with this outage.
pub fn past(days: i64, ms: i64, blow: Blow, outcome: Outcome) -> (Summary, Vec<Entry>) {
    let back = SignedDuration::from_hours(24 * days);
    let plan = plan(blow);
    let id = RunId::from(format!("{}-{}", days, plan.kind.name()).as_str());
    let mut entries = ended();
    let reached = entries[5].at + SignedDuration::from_millis(40 + ms);
    for entry in &mut entries {
        match &mut entry.what {
            What::Opened { run, plan: told, .. } => {
                *run = id.clone();
                **told = plan.clone();
            }
            What::Accepted { answer: Answer::Counted(tally), .. } => {
                tally.outages[0].to = Some(reached - back);
                tally.outages[0].from -= back;
                tally.longest = SignedDuration::from_millis(ms);
            }
            What::Closed { outcome: told } => *told = outcome,
            What::Observed { seen, .. } => *seen -= back,
            _ => {}
        }
        entry.at -= back;
    }
    let summary = Summary {
        run: id,
        kind: plan.kind,
        cluster: cluster(),
        title: plan.title.clone(),
        by: "ann@laptop".into(),
        opened: entries[0].at,
        last: entries[entries.len() - 1].at,
        outcome: Some(outcome),
        holder: None,
    };
    (summary, entries)
}

/// Three failovers, a zone loss and a switchover that missed, the newest first.
pub fn history() -> Vec<(Summary, Vec<Entry>)> {
    vec![
        past(2, 3_900, Blow::Failover, Outcome::Passed),
        past(9, 41_000, Blow::Switchover(None), Outcome::Failed),
        past(16, 2_800, Blow::Failover, Outcome::Passed),
        past(23, 7_300, Blow::ZoneLoss { zone: None, lab: false }, Outcome::Passed),
        past(30, 3_100, Blow::Failover, Outcome::Left),
    ]
}

/// A restore drill that was done so many days ago, took so long, and found so many tables the same.
pub fn restored(days: i64, ms: i64, tables: usize) -> (Summary, Vec<Entry>) {
    let mut facts = Facts::default();
    for fact in super::fresh().into_iter().chain(super::backups::stored()) {
        facts.absorb(fact);
    }
    let view = View { facts: &facts, history: None, limits: &Default::default(), now: now() };
    let wish = drills::RestoreDrill::of(cluster());
    let plan = drills::restore(&wish, &super::outside::source(&cluster()), view).unwrap();
    let (title, began) = (plan.title.clone(), now() - SignedDuration::from_hours(24 * days));
    let id = RunId::from(format!("{days}-restore-drill").as_str());
    let one = |n: usize| {
        let same = Compared { verdict: Verdict::Same, rows: Some(7), text: "7 rows".into() };
        (format!("shop.table_{n}"), same)
    };
    let compared = Comparison {
        by: "postgres through a port-forward".into(),
        marks: [(1, 10), (2, 10)].into(),
        newest: Some(began),
        left: None,
        tables: (0..tables).map(one).collect(),
    };
    let at = |after: i64, what: What| Entry { at: began + SignedDuration::from_millis(after), what };
    let learned =
        |step: &str, learned: Learned| What::Accepted { step: step.into(), answer: Answer::Learned(Box::new(learned)) };
    let entries = vec![
        at(0, What::Opened { run: id.clone(), plan: Box::new(plan), by: by() }),
        at(9_000, What::Began { step: "scratch".into(), request: None }),
        at(9_000 + ms, learned("recovered", Learned::Recovered(Recovered::default()))),
        at(12_000 + ms, learned("verify", Learned::Compared(compared))),
        at(20_000 + ms, What::Closed { outcome: Outcome::Passed }),
    ];
    let summary = Summary {
        run: id,
        kind: Kind::RestoreDrill,
        cluster: cluster(),
        title,
        by: "ann@laptop".into(),
        opened: began,
        last: entries[4].at,
        outcome: Some(Outcome::Passed),
        holder: None,
    };
    (summary, entries)
}

/// These as the list of runs.
pub fn listed(past: &[(Summary, Vec<Entry>)]) -> Msg {
    Msg::Run(RunNews::Listed(past.iter().map(|(summary, _)| summary.clone()).collect(), vec![]))
}

/// The context is a lab, and three faults stand in it.
pub fn faults() -> Fact {
    let one = |name: &str, kind: &str, target: &str, state: &str, message: &str| Standing {
        name: name.into(),
        namespace: cluster().namespace.to_string(),
        cluster: cluster().name.to_string(),
        kind: kind.into(),
        target: target.into(),
        state: state.into(),
        message: message.into(),
        since: Some(ago(12)),
    };
    let all = vec![
        one("a", "freeze-standby", "pg-primary-2", "Active", "7 processes are stopped"),
        one("b", "zone-cut", "westus3-3", "Undoing", ""),
        one("c", "slow-standby", "pg-primary-3", "Failed", "pg-primary-3 has no links"),
    ];
    Fact::Faults(super::CONTEXT.into(), Arc::new(all))
}
