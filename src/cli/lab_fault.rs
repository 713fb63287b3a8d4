//! `howdah lab fault`: the kinds of faults, those that stand, one more, none.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::args::{Global, Output};
use super::conduct::store;
use super::output::{answer, say};
use crate::adapters::kubernetes::faults::Faults;
use crate::adapters::practice::{Practice, Trail};
use crate::adapters::runs::by;
use crate::domain::fault::{FaultKind, Form, KINDS, Standing, Target};
use crate::domain::names::Context;
use crate::lab::control::{Request, Switch, ask};
use crate::problem::{Exit, Problem};

/// `howdah lab fault …`.
#[derive(Args, Clone, Debug)]
pub struct FaultArgs {
    /// Folder of the running lab [default: the lab of the kubeconfig and context]
    #[arg(long, value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done with faults.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// The kinds there are, and the faults that stand
    List,
    /// Start a fault, and wait until it stands
    Start(StartArgs),
    /// Stop a fault, and wait until it is undone
    Stop {
        /// Its name, as `list` shows it
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        name: Option<String>,
        /// All that stand
        #[arg(long)]
        all: bool,
    },
}

/// `howdah lab fault start`.
#[derive(Args, Clone, Debug)]
pub struct StartArgs {
    /// The kind, as `list` shows it
    pub kind: String,
    /// The instance it is done to [default: one that fits]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// The zone it is done to [default: that of the primary]
    #[arg(long, value_name = "NAME")]
    pub zone: Option<String>,
    /// A parameter of the kind; may be given more than once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Its own name [default: made from its kind]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a parameter is written KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// Does it.
///
/// # Errors
/// No lab, what the lab refuses, or a fault that does not come to stand or to an end.
pub async fn run(global: &Global, args: &FaultArgs) -> Result<Exit, Problem> {
    let form = global.output.unwrap_or_default();
    if matches!(args.command, Command::List) {
        return list(global, args, form).await;
    }
    if global.read_only {
        return Err(Problem::refused("nothing was done").because("--read-only was asked for"));
    }
    match &args.command {
        Command::List => Ok(Exit::Ok),
        Command::Start(start) => begin(&practice(global, args).await?, start, form).await,
        Command::Stop { name, all } => {
            awake(args).await?;
            let practice = practice(global, args).await?;
            let names = match (name, all) {
                (Some(name), false) => vec![name.clone()],
                _ => practice.faults().list().await?.into_iter().map(|fault| fault.name).collect(),
            };
            stop(&practice, &names, form).await
        }
    }
}

/// Faults that are started and stopped in the caller's name, and written down.
async fn practice(global: &Global, args: &FaultArgs) -> Result<Practice, Problem> {
    let (faults, context) = connect(global, args).await?;
    let trail = Trail { audit: store(global)?.audit(), by: by("command line", BTreeMap::new()) };
    Ok(Practice::new(faults, context, trail))
}

async fn connect(global: &Global, args: &FaultArgs) -> Result<(Faults, Context), Problem> {
    let namespace = global.namespace.first().map(String::as_str);
    match &args.dir {
        Some(dir) => {
            let file = dir.join("kubeconfig");
            if !file.is_file() {
                return Err(Problem::new(format!("no lab runs in {}", dir.display()))
                    .because("there is no kubeconfig in it")
                    .try_this("howdah lab serve --dir …"));
            }
            Faults::connect(&[file], &[], namespace).await
        }
        None => Faults::connect(&global.kubeconfig, &global.context, namespace).await,
    }
}

/// An API that is out can't be asked to end that: its lab is, where its folder is known.
async fn awake(args: &FaultArgs) -> Result<(), Problem> {
    match &args.dir {
        Some(dir) => ask(dir, Request::Api(Switch::Start)).await.map(drop),
        None => Ok(()),
    }
}

/// Kinds and standing faults in one answer.
#[derive(Serialize)]
struct Listed<'a> {
    kinds: &'a [FaultKind],
    active: &'a [Standing],
}

async fn list(global: &Global, args: &FaultArgs, form: Output) -> Result<Exit, Problem> {
    let asked = match connect(global, args).await {
        Ok((faults, _)) => faults.list().await,
        Err(problem) => Err(problem),
    };
    let active = asked.as_deref().unwrap_or_default();
    // Whoever stopped reading knows what they wanted to know.
    let people = || format!("{}\n{}", kinds(), table(active));
    let _ = say(&answer(form, &Listed { kinds: KINDS, active }, people, people)?);
    asked.map(|_| Exit::Ok)
}

/// The kinds, with their words.
fn kinds() -> String {
    let mut out = String::from("KINDS\n");
    for kind in KINDS {
        let flag = match kind.target {
            Target::Standby | Target::Instance => " [--instance NAME]",
            Target::Zone => " [--zone NAME]",
            Target::Primary | Target::Cluster | Target::Api => "",
        };
        out.push_str(&format!("  {}{flag}: {} ({})\n", kind.name, kind.title, kind.target.words()));
        out.push_str(&format!("      {}\n      Undone: {}\n", kind.what, kind.undo));
        for p in kind.parameters {
            let (name, what) = (p.name, p.what);
            let line = match p.form {
                Form::Number { default, .. } => format!("--set {name}={default}  {what}"),
                Form::Word(words) => format!("--set {name}={}  {what}", words.join("|")),
                Form::Instance => format!("--set {name}=NAME  {what}"),
            };
            out.push_str(&format!("      {line}\n"));
        }
    }
    out.push_str("  all: --set seconds=N  ends it by itself after so many seconds\n");
    out
}

/// The faults that stand.
fn table(active: &[Standing]) -> String {
    if active.is_empty() {
        return "No fault stands.\n".to_owned();
    }
    let rows: Vec<[&str; 5]> = std::iter::once(["NAME", "KIND", "TARGET", "STATE", "MESSAGE"])
        .chain(active.iter().map(|f| [&*f.name, &*f.kind, &*f.target, &*f.state, &*f.message]))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |row: &[&str; 5]| {
        let cells: String = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:<w$}  ")).collect();
        format!("{cells}{}\n", row[4]).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The object's spec. Values of parameters that are numbers become numbers; the lab says what is wrong with the rest.
fn spec(args: &StartArgs) -> Value {
    let mut spec = Map::from_iter([("kind".to_owned(), json!(args.kind))]);
    for (field, value) in [("instance", &args.instance), ("zone", &args.zone)] {
        if let Some(value) = value {
            spec.insert(field.to_owned(), json!(value));
        }
    }
    for (key, value) in &args.set {
        let number = value.parse::<u64>().ok().map(Value::from);
        spec.insert(key.clone(), number.unwrap_or_else(|| json!(value)));
    }
    Value::Object(spec)
}

async fn begin(practice: &Practice, args: &StartArgs, form: Output) -> Result<Exit, Problem> {
    let seen = practice.start(args.name.as_deref(), &spec(args)).await?;
    if seen.state == "Failed" {
        // An object that does nothing would only be in the way.
        practice.stop(&[seen.name]).await?;
        return Err(Problem { exit: Exit::No, ..Problem::new("the fault could not be started").because(seen.message) });
    }
    tell(&[seen], form)
}

async fn stop(practice: &Practice, names: &[String], form: Output) -> Result<Exit, Problem> {
    practice.stop(names).await?;
    let people = || match names {
        [] => "No fault stands.\n".to_owned(),
        names => format!("stopped: {}\n", names.join(", ")),
    };
    let _ = say(&answer(form, &json!({"stopped": names}), people, people)?);
    Ok(Exit::Ok)
}

fn tell(active: &[Standing], form: Output) -> Result<Exit, Problem> {
    let people = || table(active);
    let _ = say(&answer(form, &json!({"active": active}), people, people)?);
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_fields() {
        let args = StartArgs {
            kind: "slow-standby".into(),
            instance: Some("pg-2".into()),
            zone: None,
            set: vec![pair("writeMib=32").unwrap(), pair("how = drop").unwrap()],
            name: None,
        };
        let wanted = json!({"kind": "slow-standby", "instance": "pg-2", "writeMib": 32, "how": "drop"});
        assert_eq!(spec(&args), wanted);
        assert!(pair("writeMib").is_err());
    }

    #[test]
    fn the_list_tells_every_kind_and_what_stands() {
        let shown = kinds();
        assert!(KINDS.iter().all(|kind| shown.contains(kind.name) && shown.contains(kind.what)), "{shown}");
        let fault =
            Standing { name: "a".into(), kind: "kill-primary".into(), state: "Active".into(), ..Standing::default() };
        assert_eq!(
            table(&[fault]),
            "NAME  KIND          TARGET  STATE   MESSAGE\na     kill-primary          Active\n"
        );
        assert_eq!(table(&[]), "No fault stands.\n");
    }
}
