//! What is done: arming, the plan that is looked at, runs under way. All behaviour, no outside.
//!
//! A run goes on by itself with each message: what [`Followed`](crate::procedure::Followed) says is to be done becomes an
//! effect, and what came of it comes back as news. The command line follows runs by the same rules, so both leave the same
//! journal.

use std::collections::BTreeSet;

use super::model::Model;
use super::msg::RunNews;
use super::overlay::{self, Overlay};
use super::walks;
use crate::domain::names::ClusterKey;
use crate::panes::doing::{Driven, FromSource, Proposal, Trial, Wanted, name_to_type};
use crate::panes::{Effect, Purpose, RunEffect, runs};
use crate::problem::Problem;
use crate::procedure::catalog::{self, View};
use crate::procedure::{By, Choice, Gate, Plan, Question, Right, Run, RunId, Todo, What};

/// What plans are made from.
pub fn view<'a>(model: &'a Model, cluster: &ClusterKey) -> View<'a> {
    View {
        facts: &model.known.facts,
        history: model.known.history.of(cluster),
        limits: &model.known.limits,
        now: model.now,
    }
}

/// The plan of what is wanted, guarded as its context asks.
///
/// # Errors
/// It means nothing here.
pub fn plan(model: &Model, wanted: &Wanted) -> Result<Plan, Problem> {
    let cluster = wanted.cluster().clone();
    let mut plan = wanted.plan(view(model, &cluster))?;
    if model.doing.protected.covers(&cluster.context) {
        catalog::protect(&mut plan);
    }
    Ok(plan)
}

/// Asks which of these rights are missing.
pub fn ask(model: &mut Model, cluster: ClusterKey, rights: BTreeSet<Right>) -> Vec<Effect> {
    model.doing.rights.ask(&cluster, &rights, model.now);
    vec![Effect::Run(RunEffect::Rights(cluster, rights))]
}

/// Shows the plan of what is wanted, and has the API try it where that is allowed.
pub fn propose(model: &mut Model, wanted: Wanted) -> Vec<Effect> {
    match plan(model, &wanted) {
        Ok(plan) => {
            model.proposals += 1;
            let number = model.proposals;
            model.doing.proposal = Some(Proposal { number, wanted, plan, tried: Trial::Not });
            model.show(runs::ID);
            attempt(model)
        }
        Err(problem) => {
            model.say(problem.line(), true);
            Vec::new()
        }
    }
}

/// Has the API try the proposed plan, once its cluster is armed: even a dry run is a request to change something.
fn attempt(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let Some(proposal) = &mut model.doing.proposal else { return Vec::new() };
    let armed = model.doing.arming.until(&proposal.plan.cluster, now).is_some();
    if !armed || proposal.tried != Trial::Not || catalog::admit(&proposal.plan).is_err() {
        return Vec::new();
    }
    proposal.tried = Trial::UnderWay;
    vec![Effect::Run(RunEffect::Try(proposal.number, Box::new(proposal.plan.clone())))]
}

/// Arms a cluster, asks for its name where it is protected, or disarms it.
pub fn arm(model: &mut Model, cluster: &ClusterKey) -> Vec<Effect> {
    if model.doing.armed(cluster, model.now).is_some() {
        if model.doing.on(cluster).is_some() {
            model.say(format!("{cluster} stays armed: a run is under way there"), false);
            return Vec::new();
        }
        model.doing.arming.disarm(cluster);
        model.say(format!("{cluster} is read-only again"), false);
        return Vec::new();
    }
    if model.doing.protected.covers(&cluster.context) {
        model.overlay = Some(Overlay::line(Purpose::Arm(cluster.clone())));
        return Vec::new();
    }
    armed(model, cluster)
}

fn armed(model: &mut Model, cluster: &ClusterKey) -> Vec<Effect> {
    let now = model.now;
    match model.doing.arming.arm(cluster, now) {
        Ok(()) => model.say(format!("{cluster} is armed for 15 minutes: it can be changed"), true),
        Err(problem) => model.say(problem.line(), true),
    }
    attempt(model)
}

/// Why the proposed plan can't begin now; `None`: it can.
pub fn refuses_begin(model: &Model) -> Option<String> {
    let Some(proposal) = &model.doing.proposal else { return Some("no plan is looked at".into()) };
    let plan = &proposal.plan;
    if let Some(other) = model.doing.on(&plan.cluster) {
        return Some(format!("{} is under way on {}", other.run().plan.title, plan.cluster));
    }
    if plan.weight() == crate::procedure::Weight::Blocks
        && let Err(problem) = catalog::admit(plan)
    {
        return Some(problem.because.unwrap_or(problem.what));
    }
    if catalog::admit(plan).is_err() {
        return None;
    }
    match &proposal.tried {
        Trial::Taken(_) => None,
        Trial::Not | Trial::UnderWay => Some("the API has not said yet whether it would take it".into()),
        Trial::Refused(problem) => Some(problem.line()),
    }
}

/// Begins the proposed plan; asks for the reason where something speaks against it.
pub fn begin(model: &mut Model) -> Vec<Effect> {
    let Some(proposal) = &model.doing.proposal else { return Vec::new() };
    if catalog::admit(&proposal.plan).is_err() {
        model.overlay = Some(Overlay::line(Purpose::Because));
        return Vec::new();
    }
    let versions = By::met(&model.known.facts, &proposal.plan.cluster);
    vec![Effect::Run(RunEffect::Begin(Box::new(proposal.plan.clone()), versions))]
}

/// Has the source's objects read that a plan is made of. The plan is shown to whoever still waits where it was asked for.
pub fn read(model: &mut Model, wish: Box<FromSource>) -> Vec<Effect> {
    model.reading = Some(model.front);
    vec![Effect::Run(RunEffect::Ground(wish))]
}

/// Makes the proposed plan anew from what is known now.
pub fn again(model: &mut Model) -> Vec<Effect> {
    match model.doing.proposal.take().map(|p| p.wanted) {
        Some(Wanted::Restore(wish, _)) => read(model, wish),
        Some(wanted) => propose(model, wanted),
        None => Vec::new(),
    }
}

/// A line was typed for this.
pub fn typed(model: &mut Model, purpose: Purpose, text: &str) -> Vec<Effect> {
    let text = text.trim();
    match purpose {
        Purpose::Arm(cluster) if *text == *cluster.name => armed(model, &cluster),
        Purpose::Arm(cluster) => {
            model.say(format!("not armed: the name is {}, and {text:?} was typed", cluster.name), true);
            Vec::new()
        }
        Purpose::Because if text.is_empty() => {
            model.say("nothing was begun: no reason was given", false);
            Vec::new()
        }
        Purpose::Because => match model.doing.proposal.take() {
            Some(proposal) => propose(model, proposal.wanted.because(crate::text::clean(text))),
            None => Vec::new(),
        },
        Purpose::Gate(run, name) if text == name => {
            let asks = |q: &&Question| name_to_type(q) == Some(&name);
            let question = model.doing.runs.get(&run).and_then(|d| d.asked.iter().find(asks)).cloned();
            question.map(|q| tell(model, &run, &q, Choice::Grant, Some(format!("typed {name}")))).unwrap_or_default()
        }
        Purpose::Gate(_, name) => {
            model.say(format!("nothing was done: the name is {name}, and {text:?} was typed"), true);
            Vec::new()
        }
    }
}

/// The question that the run in front asks, with this among its answers.
pub fn asked(model: &Model, choice: Choice) -> Option<(RunId, Question)> {
    let id = model.doing.shown.as_ref()?;
    let driven = model.doing.runs.get(id).filter(|d| d.open())?;
    let question = driven.asked.iter().find(|q| q.choices.contains(&choice))?;
    Some((id.clone(), question.clone()))
}

/// Answers the run in front.
pub fn answer(model: &mut Model, choice: Choice) -> Vec<Effect> {
    let Some((run, question)) = asked(model, choice) else { return Vec::new() };
    match (choice, &question.gate) {
        (Choice::Grant, Some(Gate::TypeName(name))) => {
            model.overlay = Some(Overlay::line(Purpose::Gate(run, name.clone())));
            Vec::new()
        }
        (Choice::Grant, Some(Gate::ByHand(_))) => tell(model, &run, &question, choice, Some("done by hand".into())),
        (Choice::Grant, _) => tell(model, &run, &question, choice, Some("yes".into())),
        (Choice::Decide(_), _) => tell(model, &run, &question, choice, None),
    }
}

fn tell(model: &mut Model, run: &RunId, question: &Question, choice: Choice, said: Option<String>) -> Vec<Effect> {
    if let Some(driven) = model.doing.runs.get_mut(run) {
        driven.asked.retain(|q| q != question);
    }
    write(model, run, question.answer(choice, said))
}

/// Ends a run before its end.
pub fn abort(model: &mut Model, run: &RunId, undo: bool) -> Vec<Effect> {
    write(model, run, What::Aborted { undo })
}

/// Writes into a run's journal.
pub fn write(model: &mut Model, run: &RunId, what: What) -> Vec<Effect> {
    let Some(driven) = model.doing.runs.get_mut(run).filter(|d| d.open()) else { return Vec::new() };
    driven.writing += 1;
    vec![Effect::Run(RunEffect::Write(run.clone(), what))]
}

/// What is to be done now for every run under way.
pub fn step(model: &mut Model) -> Vec<Effect> {
    let (facts, now) = (&model.known.facts, model.now);
    let mut effects = Vec::new();
    for (id, driven) in model.doing.runs.iter_mut().filter(|(_, d)| d.open()) {
        let walk = driven.is_walk();
        if !walk {
            model.doing.arming.keep(&driven.followed.run.plan.cluster, now);
        }
        if driven.writing > 0 {
            continue;
        }
        let heard = std::mem::take(&mut driven.heard);
        let mut writes = driven.followed.look(&heard, facts);
        if walk {
            writes = walks::due(&model.known, &model.doing.runbooks, driven, now);
        } else if writes.is_empty() {
            driven.asked.clear();
            for todo in driven.followed.next(facts, now) {
                match todo {
                    Todo::Write(what) => writes.push(what),
                    Todo::Ask(question) => driven.asked.push(question),
                    act => effects.push(Effect::Run(RunEffect::Perform(id.clone(), act))),
                }
            }
        }
        driven.writing += writes.len();
        effects.extend(writes.into_iter().map(|what| Effect::Run(RunEffect::Write(id.clone(), what))));
    }
    effects
}

/// Takes in what came of an effect.
pub fn take(model: &mut Model, news: RunNews) -> Vec<Effect> {
    model.dirty = true;
    match news {
        RunNews::Rights(cluster, asked, Ok(missing)) => {
            model.doing.rights.learn(&cluster, &asked, &missing);
            overlay::refresh(model);
        }
        // Who looks at a menu waits for the answer; a pane asks again by itself, and what it shows is not known till then.
        RunNews::Rights(_, _, Err(problem)) if model.overlay.is_some() => model.say(problem.line(), true),
        RunNews::Rights(_, _, Err(_)) => {}
        RunNews::Tried(number, tried) => {
            if let Some(proposal) = model.doing.proposal.as_mut().filter(|p| p.number == number) {
                proposal.tried = tried.map_or_else(Trial::Refused, Trial::Taken);
            }
        }
        RunNews::Open(run, entries) => return opened(model, run, entries),
        RunNews::Draft(run, text) => {
            model.say("a note was being typed when it was left: it is there again", false);
            model.drafts.insert(run, text);
        }
        RunNews::Entry(run, entry) => {
            if let Some(driven) = model.doing.runs.get_mut(&run) {
                driven.followed.absorb(entry);
                if driven.run().closed.is_some() {
                    return closed(model, &run);
                }
            }
        }
        RunNews::Wrote(run) => {
            if let Some(driven) = model.doing.runs.get_mut(&run) {
                driven.writing = driven.writing.saturating_sub(1);
            }
        }
        RunNews::Ended(run, step) => {
            if let Some(driven) = model.doing.runs.get_mut(&run) {
                driven.followed.ended(&step);
            }
        }
        RunNews::Broken(run, problem) => {
            model.say(problem.line(), true);
            if let Some(driven) = model.doing.runs.get_mut(&run) {
                driven.broken = Some(problem);
            }
        }
        RunNews::Listed(listed, damaged) => {
            model.doing.listed = Some(listed);
            model.doing.damaged = damaged;
            return walks::listed(model);
        }
        RunNews::Read(run, entries) => {
            match entries.and_then(Run::fold) {
                Ok(folded) => {
                    model.doing.read.insert(run.clone(), folded);
                }
                Err(problem) => model.say(problem.line(), true),
            }
            return walks::read(model, &run);
        }
        RunNews::Ground(wish, Ok(ground)) if model.reading.take() == Some(model.front) => {
            return propose(model, Wanted::Restore(wish, ground));
        }
        RunNews::Ground(_, Ok(_)) => model.say("the plan is not shown: you had gone on; ask for it again", false),
        RunNews::Ground(_, Err(problem)) => model.say(problem.line(), true),
        RunNews::Reply(run, asked, reply) => {
            if let Some(asking) = model.doing.asking.get_mut(&run) {
                asking.remove(&asked);
            }
            model.doing.replies.entry(run).or_default().insert(asked, reply);
        }
    }
    Vec::new()
}

fn opened(model: &mut Model, id: RunId, entries: Vec<crate::procedure::Entry>) -> Vec<Effect> {
    let run = match Run::fold(entries) {
        Ok(run) => run,
        Err(problem) => {
            model.say(problem.line(), true);
            return vec![Effect::Run(RunEffect::Release(id))];
        }
    };
    let cluster = run.plan.cluster.clone();
    let driven = Driven::new(run);
    let walk = driven.is_walk();
    model.doing.read.remove(&id);
    model.doing.runs.insert(id.clone(), driven);
    if walk {
        return walks::opened(model, id);
    }
    let mut effects = Vec::new();
    if let Some(proposal) = model.doing.proposal.take() {
        if proposal.plan.cluster == cluster {
            effects.extend(said_yes(model, &id, &proposal.plan));
        } else {
            model.doing.proposal = Some(proposal);
        }
    }
    model.doing.shown = Some(id);
    model.show(runs::ID);
    effects
}

/// Who began a plan as it was shown has approved its first steps: they stood on the screen with their requests.
fn said_yes(model: &mut Model, run: &RunId, plan: &Plan) -> Vec<Effect> {
    let first = plan.steps.iter().filter(|s| s.gate == Gate::Approve && s.needs.is_empty() && !s.cleanup);
    let granted = |id| What::Granted { step: id, how: "yes, to the plan as it was shown".into() };
    let all: Vec<What> = first.map(|s| granted(s.id.clone())).collect();
    all.into_iter().flat_map(|what| write(model, run, what)).collect()
}

fn closed(model: &mut Model, id: &RunId) -> Vec<Effect> {
    if let Some(driven) = model.doing.runs.get_mut(id) {
        driven.asked.clear();
        let run = driven.run();
        let word = run.closed.map_or("ended", |(_, outcome)| outcome.word());
        let (text, bad) = (format!("{}: {word}", run.plan.title), word == "failed");
        model.say(text, bad);
    }
    vec![Effect::Run(RunEffect::Release(id.clone())), Effect::Run(RunEffect::List)]
}
