//! A step as a pane, a transcript or a program shows it: everything filled in and judged.

use serde::Serialize;

use super::answer::{Judged, judge, of_step};
use super::values::{self, Item};
use super::{Answer, Runbook, Sight, Target, fill, for_shell};
use crate::domain::names::{ClusterKey, InstanceName};
use crate::procedure::catalog::{Act, Chosen};
use crate::procedure::kind::Kind;
use crate::procedure::question::Replies;

/// A step, ready to be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepView {
    /// Its name.
    pub name: String,
    /// What to do.
    pub title: String,
    /// How and why.
    pub words: Vec<String>,
    /// Live values.
    pub values: Vec<Shown>,
    /// Checks with their answers.
    pub checks: Vec<Judged>,
    /// The answer of the check that decides; `None`: none does.
    pub answer: Option<Answer>,
    /// What the person is asked.
    pub question: Option<String>,
    /// Command lines.
    pub commands: Vec<Line>,
    /// A change howdah itself would make.
    pub act: Option<Offer>,
    /// Where each answer leads, where it makes a difference: `yes` → the step's title.
    pub ways: Vec<(&'static str, String)>,
}

/// A live value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// What it is, in a line.
    pub about: &'static str,
    /// What it is now.
    pub items: Vec<Item>,
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// `look` or `change`.
    pub kind: &'static str,
    /// The line.
    pub text: String,
    /// What it is for.
    pub why: Option<String>,
}

/// A change that howdah offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Which.
    pub kind: Kind,
    /// What is filled in: a parameter whose value is not known is left out.
    pub parameters: Vec<(String, String)>,
    /// The command line that makes it.
    pub line: String,
}

impl Offer {
    /// The act itself.
    ///
    /// # Errors
    /// Something that it needs is not known now, in words.
    pub fn act(&self) -> Result<Act, String> {
        let told = |name: &str| self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let instance = || told("instance").map(InstanceName::from).ok_or("it is not known of which instance");
        let chosen = || Ok::<_, String>(Chosen::These(vec![instance()?]));
        Ok(match self.kind {
            Kind::Switchover => Act::Switchover { to: told("to").or(told("instance")).map(InstanceName::from) },
            Kind::RestartInstance => Act::Restart { instance: Some(instance()?) },
            Kind::RestartCluster => Act::Restart { instance: None },
            Kind::Reload => Act::Reload,
            Kind::Fence => Act::Fence { instances: chosen()? },
            Kind::Unfence => Act::Unfence { instances: chosen()? },
            Kind::Hibernate => Act::Hibernate,
            Kind::Wake => Act::Wake,
            Kind::Rebuild => Act::Rebuild { instance: instance()? },
            Kind::Scale => {
                let number = told("instances").and_then(|n| n.parse().ok());
                Act::Scale { instances: number.ok_or("it is not known to how many instances")? }
            }
            Kind::Maintenance => Act::Maintenance { open: told("window") == Some("open"), reuse_volumes: None },
            kind => return Err(format!("{} is no act", kind.name())),
        })
    }
}

/// A step as it is now.
pub fn step_view(runbook: &Runbook, index: usize, sight: &Sight<'_>, replies: &Replies) -> Option<StepView> {
    let step = runbook.steps.get(index)?;
    let checks: Vec<_> = step.look.iter().map(|look| judge(look, sight, replies)).collect();
    let operator = sight.cluster.operator;
    let commands = step.commands.iter().filter(|c| c.operator.is_none_or(|o| o == operator));
    Some(StepView {
        name: step.name.clone(),
        title: fill(&step.title, sight),
        words: step.words.iter().map(|w| fill(w, sight)).collect(),
        values: step.values.iter().map(|name| shown(name, sight)).collect(),
        answer: of_step(step, &checks),
        checks,
        question: step.question.as_ref().map(|q| fill(q, sight)),
        commands: commands
            .map(|c| Line {
                kind: if c.change { "change" } else { "look" },
                text: for_shell(&c.text, sight),
                why: c.why.as_ref().map(|w| fill(w, sight)),
            })
            .collect(),
        act: step.act.as_ref().map(|act| {
            let filled = act.parameters.iter().map(|(name, value)| (name.clone(), fill(value, sight)));
            let parameters: Vec<_> = filled.collect();
            let line = act_line(act.kind, &sight.cluster.key, &parameters);
            // What is not known stays visible in the line, and is not filled in anywhere else.
            let parameters = parameters.into_iter().filter(|(_, value)| !value.starts_with('<')).collect();
            Offer { kind: act.kind, parameters, line }
        }),
        ways: if step.branches() { ways(runbook, index) } else { Vec::new() },
    })
}

fn shown(name: &str, sight: &Sight<'_>) -> Shown {
    let about = values::meaning(name).map_or("", |m| m.about);
    Shown { name: name.to_owned(), about, items: values::read(sight, name) }
}

fn ways(runbook: &Runbook, index: usize) -> Vec<(&'static str, String)> {
    let next = &runbook.steps[index].next;
    let title = |target: &Target| match target {
        Target::Following => runbook.steps.get(index + 1).map_or("the end".to_owned(), |s| s.title.clone()),
        Target::Step(name) => runbook.steps.iter().find(|s| s.name == *name).map_or(name.clone(), |s| s.title.clone()),
        Target::Done => "the end".into(),
    };
    vec![("yes", title(&next.yes)), ("no", title(&next.no)), ("unknown", title(&next.unknown))]
}

/// `howdah act rebuild pg/orders --instance orders-3`.
fn act_line(kind: Kind, key: &ClusterKey, parameters: &[(String, String)]) -> String {
    let name = super::act_name(kind);
    let word = |(name, value): &(String, String)| match name.as_str() {
        "window" => format!(" {value}"),
        name => format!(" --{name} {value}"),
    };
    let flags: String = parameters.iter().map(word).collect();
    format!("howdah act {name} {key}{flags} --context {}", key.context)
}
