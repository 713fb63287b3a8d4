//! What each command does, and why it can't be done: one place for both.

use super::menu::Menu;
use super::model::Model;
use super::overlay::{self, Overlay, Which};
use super::{runs, walks};
use crate::command::{Command, Risk, Scope};
use crate::domain::detail::{ObjectRef, Subject};
use crate::domain::names::ClusterKey;
use crate::panes::detail::Viewer;
use crate::panes::doing;
use crate::panes::{Effect, RunEffect, Scene, Selected, Wish};

/// Does a command, or says why not.
pub fn dispatch(model: &mut Model, command: Command) -> Vec<Effect> {
    model.dirty = true;
    if let Some(why) = refuses(model, command) {
        model.say(format!("{}: {why}", command.title()), false);
        return Vec::new();
    }
    if model.overlay.is_some() {
        return overlay::on(model, command);
    }
    match command.scope() {
        Scope::Global => global(model, command),
        Scope::Object => object(model, command),
        Scope::Plan if command == Command::Begin => runs::begin(model),
        Scope::Plan if command == Command::Again => runs::again(model),
        Scope::Run if let Some(choice) = doing::choice_of(command) => runs::answer(model, choice),
        _ => front(model, command),
    }
}

/// The cluster that a command would change: that of the plan or run in front, else the one in question.
pub fn subject(model: &Model) -> Option<ClusterKey> {
    model.panes[model.front].about(&model.scene()).or_else(|| model.chosen.clone())
}

/// The one place that says no to every change of a cluster that is not armed.
fn unarmed(model: &Model) -> Option<String> {
    let key = subject(model);
    if key.as_ref().is_some_and(|key| model.doing.armed(key, model.now).is_some()) {
        return None;
    }
    let arm = model.keymap.shown(Scope::Global, Command::Arm).map(|k| format!(", {k} arms it")).unwrap_or_default();
    Some(match (key, model.doing.arming.locked) {
        (_, true) => "this session is read-only".into(),
        (Some(key), _) => format!("{key} is read-only{arm}"),
        (None, _) => "no cluster is chosen".into(),
    })
}

/// Why a command can't be done now; `None`: it can.
pub fn refuses(model: &Model, command: Command) -> Option<String> {
    if model.overlay.is_some() {
        return None;
    }
    if let Some(tab) = command.tab() {
        let tabs = model.tabs().len();
        return (tab >= tabs).then(|| format!("there are {tabs} tabs"));
    }
    match command {
        Command::ClusterNext | Command::ClusterPrevious if clusters(model).len() < 2 => {
            return Some("there is no other cluster".into());
        }
        Command::Back if model.viewers.is_empty() && !model.panes[model.front].has_back() && model.front == 0 => {
            return Some("this is where it starts; nothing to go back to".into());
        }
        Command::Arm if model.doing.arming.locked => {
            return Some("this session is read-only; start howdah without --read-only".into());
        }
        Command::Arm | Command::Act | Command::Runbook if subject(model).is_none() => {
            return Some("no cluster is chosen".into());
        }
        Command::Runbook if walks::reasoned(model).is_none() => {
            return Some("no reason of its verdict asks for a runbook".into());
        }
        Command::ChooseNamespaces | Command::ToggleAllNamespaces if model.known.facts.clusters.is_empty() => {
            return Some("no namespace with a cluster is known yet".into());
        }
        _ => {}
    }
    if command.risk() >= Risk::Changes
        && let Some(why) = unarmed(model)
    {
        return Some(why);
    }
    match command.scope() {
        Scope::Global => None,
        Scope::Plan if command == Command::Begin => runs::refuses_begin(model),
        Scope::Run if let Some(choice) = doing::choice_of(command) => {
            runs::asked(model, choice).is_none().then(|| "the run does not ask that now".into())
        }
        Scope::Object => object_refuses(model, command),
        _ => {
            let scene = model.scene();
            match model.viewers.last() {
                Some(viewer) => viewer.refuses(command, &scene),
                None => model.panes[model.front].refuses(command, &scene),
            }
        }
    }
}

fn global(model: &mut Model, command: Command) -> Vec<Effect> {
    if let Some(tab) = command.tab() {
        return go(model, tab);
    }
    let tabs = model.tabs().len();
    match command {
        // A walk can be left open; it goes on when somebody takes it up.
        Command::Quit if model.doing.under_way().any(|d| !d.is_walk()) => {
            model.overlay = Some(Overlay::menu(model, Menu::Leaving));
        }
        Command::Arm => return subject(model).map(|key| runs::arm(model, &key)).unwrap_or_default(),
        Command::Act => return act(model),
        Command::Runbook => return walks::runbook(model),
        Command::Quit => {
            model.leaving = true;
            return vec![Effect::Quit];
        }
        Command::Back => return back(model),
        Command::TabNext => return go(model, (model.tab() + 1) % tabs),
        Command::TabPrevious => return go(model, (model.tab() + tabs - 1) % tabs),
        Command::ClusterNext => choose_by(model, 1),
        Command::ClusterPrevious => choose_by(model, -1),
        Command::Help => {
            let focus = model.scope();
            model.overlay = Some(Overlay::Help { top: 0, focus });
        }
        Command::Palette => model.overlay = Some(Overlay::palette(model)),
        Command::Sources => model.overlay = Some(Overlay::sources(model)),
        Command::Notices => model.overlay = Some(Overlay::Notices { top: 0 }),
        Command::ChooseContexts => model.overlay = Some(Overlay::choose(model, Which::Contexts)),
        Command::ChooseNamespaces => model.overlay = Some(Overlay::choose(model, Which::Namespaces)),
        Command::ToggleAllNamespaces => all_namespaces(model),
        Command::ToggleUtc => {
            model.habits.utc = !model.habits.utc;
            model.say(if model.habits.utc { "times in UTC" } else { "times are local" }, false);
        }
        Command::ToggleBell => {
            model.habits.bell = !model.habits.bell;
            model.say(if model.habits.bell { "bell when a verdict changes" } else { "no bell" }, false);
        }
        Command::ToggleAscii => model.toggle_ascii(),
        Command::ThemeNext => model.next_theme(),
        Command::ReloadSettings => return vec![Effect::ReloadSettings],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Suspend => return vec![Effect::Suspend],
        _ => {}
    }
    Vec::new()
}

/// All namespaces, or only the one of the cluster in question.
fn all_namespaces(model: &mut Model) {
    let namespaces = match (&model.choice.namespaces, &model.chosen) {
        (None, Some(key)) => Some([key.namespace.to_string()].into()),
        _ => None,
    };
    model.say(if namespaces.is_none() { "all namespaces" } else { "only this namespace" }, false);
    model.choice.namespaces = namespaces;
}

/// Opens the menu of changes, and asks for the rights that they need.
fn act(model: &mut Model) -> Vec<Effect> {
    let Some(key) = subject(model) else { return Vec::new() };
    let instance = selected(model).and_then(|s| s.instance).filter(|(k, _)| *k == key).map(|(_, name)| name);
    let menu = Menu::Acts(key.clone(), instance);
    let rights = super::menu::rights(model, &menu);
    model.overlay = Some(Overlay::menu(model, menu));
    runs::ask(model, key, rights)
}

pub(super) fn go(model: &mut Model, tab: usize) -> Vec<Effect> {
    let effects = close_viewers(model, 0);
    if let Some(pane) = model.tabs().get(tab) {
        model.front = *pane;
    }
    effects
}

/// Closes the viewer on top, else undoes what the pane has to undo, else goes to the first tab.
fn back(model: &mut Model) -> Vec<Effect> {
    if let Some(viewer) = model.viewers.last() {
        if viewer.has_back() {
            return front(model, Command::Back);
        }
        let keep = model.viewers.len() - 1;
        return close_viewers(model, keep);
    }
    if model.panes[model.front].has_back() {
        return front(model, Command::Back);
    }
    model.front = 0;
    Vec::new()
}

fn close_viewers(model: &mut Model, keep: usize) -> Vec<Effect> {
    let mut effects = Vec::new();
    while model.viewers.len() > keep {
        let Some(viewer) = model.viewers.pop() else { break };
        model.known.details.remove(&viewer.subject);
        effects.push(Effect::Unwatch(viewer.subject));
    }
    effects
}

fn clusters(model: &Model) -> Vec<ClusterKey> {
    model.known.judged.keys().filter(|k| model.choice.shows(k)).cloned().collect()
}

fn choose_by(model: &mut Model, step: isize) {
    let all = clusters(model);
    let n = all.len() as isize;
    let at = model.chosen.as_ref().and_then(|c| all.iter().position(|k| k == c)).unwrap_or(0) as isize;
    if let Some(key) = all.get((at + step).rem_euclid(n.max(1)) as usize) {
        choose(model, key.clone());
    }
}

pub(super) fn choose(model: &mut Model, key: ClusterKey) {
    if model.chosen.as_ref() != Some(&key) {
        for pane in &mut model.panes {
            pane.chosen(&key);
        }
        model.chosen = Some(key);
    }
}

/// Asks the viewer on top, else the pane in front.
fn front(model: &mut Model, command: Command) -> Vec<Effect> {
    if let Some(mut viewer) = model.viewers.pop() {
        let before = viewer.subject.clone();
        let wanted = viewer.on(command, &model.scene());
        let now = viewer.subject.clone();
        model.viewers.push(viewer);
        let mut effects = Vec::new();
        if before != now {
            model.known.details.remove(&before);
            model.known.details.entry(now.clone()).or_default();
            effects.extend([Effect::Unwatch(before), Effect::Watch(now)]);
        }
        effects.extend(wishes(model, wanted));
        return effects;
    }
    let mut panes = std::mem::take(&mut model.panes);
    let wanted = panes[model.front].on(command, &model.scene());
    model.panes = panes;
    wishes(model, wanted)
}

/// Grants what a pane asks for.
pub fn wishes(model: &mut Model, wanted: Vec<Wish>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for wish in wanted {
        match wish {
            Wish::Effect(effect) => {
                if let Effect::Copy(text) = &effect {
                    let short = crate::text::shorten(text.lines().next().unwrap_or_default(), 60);
                    model.say(format!("copied: {short}"), false);
                }
                if let Effect::Run(RunEffect::Put(run, _, asked)) = &effect {
                    model.doing.asking.entry(run.clone()).or_default().insert(asked.clone());
                }
                effects.push(effect);
            }
            Wish::Choose(key) => choose(model, key),
            Wish::Go(id) => {
                effects.extend(close_viewers(model, 0));
                model.show(id);
            }
            Wish::Do(command) => effects.extend(dispatch(model, command)),
            Wish::Say(text) => model.say(text, false),
            Wish::Dismiss => model.doing.proposal = None,
            Wish::Show(run) => model.doing.shown = run,
            Wish::Walk(run) => model.doing.walking = run,
            Wish::BeginWalk(key, name) => effects.extend(walks::begin(model, key, &name)),
            Wish::Note(run) => walks::note(model, run),
            Wish::Record(run) => effects.extend(walks::record(model, run)),
            Wish::Rights(cluster, rights) => effects.extend(runs::ask(model, cluster, rights)),
            Wish::Propose(wanted) => effects.extend(runs::propose(model, wanted)),
            Wish::Restore(wish) => effects.extend(runs::read(model, wish)),
            Wish::Write(run, what) => effects.extend(runs::write(model, &run, what)),
            Wish::Type(purpose) => model.overlay = Some(Overlay::line(purpose)),
            Wish::EndRun(run) => model.overlay = Some(Overlay::menu(model, Menu::End(run))),
        }
    }
    effects
}

fn selected(model: &Model) -> Option<Selected> {
    let scene: Scene<'_> = model.scene();
    model.panes[model.front].selected(&scene)
}

fn object_refuses(model: &Model, command: Command) -> Option<String> {
    if !model.viewers.is_empty() {
        return Some("close this text first".into());
    }
    let Some(selected) = selected(model) else { return Some("nothing is selected".into()) };
    match command {
        Command::Yaml | Command::Describe => None,
        _ if pod_of(model, &selected).is_none() => Some(match &selected.instance {
            Some((_, name)) => format!("{name} has no pod"),
            None => format!("{} is no instance", selected.object),
        }),
        _ => None,
    }
}

/// The pod of what is selected, with its PostgreSQL container.
fn pod_of(model: &Model, selected: &Selected) -> Option<(ObjectRef, String)> {
    let (key, name) = selected.instance.as_ref()?;
    let pod = model.known.facts.clusters.get(key)?.instance(name)?.pod.as_ref()?;
    let object = ObjectRef {
        context: key.context.clone(),
        api_version: "v1".into(),
        kind: "Pod".into(),
        namespace: key.namespace.to_string(),
        name: pod.name.clone(),
    };
    Some((object, pod.container.clone()))
}

fn object(model: &mut Model, command: Command) -> Vec<Effect> {
    let Some(chosen) = selected(model) else { return Vec::new() };
    let pod = pod_of(model, &chosen);
    let subject = match (command, pod) {
        (Command::Yaml, _) => Subject::Yaml(chosen.object),
        (Command::Describe, _) => Subject::Describe(chosen.object),
        (Command::Logs | Command::PreviousLogs, Some((pod, container))) => {
            Subject::Logs { pod, container, previous: command == Command::PreviousLogs }
        }
        (Command::Psql, Some(_)) => {
            let Some((key, name)) = chosen.instance else { return Vec::new() };
            let read_only = model.doing.armed(&key, model.now).is_none();
            return vec![Effect::Psql { cluster: key, instance: name, read_only }];
        }
        _ => return Vec::new(),
    };
    open(model, subject)
}

fn open(model: &mut Model, subject: Subject) -> Vec<Effect> {
    // CNPG's pods run the manager's bootstrap first; its log is worth a key when a pod does not come up.
    let containers = match &subject {
        Subject::Logs { container, .. } if container == "postgres" => {
            vec!["postgres".to_owned(), "bootstrap-controller".to_owned()]
        }
        Subject::Logs { container, .. } => {
            let others = ["replication-cert-copy", "pgbackrest"];
            std::iter::once(container.clone()).chain(others.map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    model.known.details.entry(subject.clone()).or_default();
    model.viewers.push(Viewer::new(subject.clone(), containers));
    vec![Effect::Watch(subject)]
}
