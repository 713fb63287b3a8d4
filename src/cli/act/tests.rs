//! Every act as it is said on the command line, and its plan as it is printed.

use clap::Parser;

use super::*;
use crate::cli::args::{Cli, Command, Output};
use crate::cli::conduct::plan_text;
use crate::cli::output::Style;
use crate::domain::cluster::{Fenced, Hibernation};
use crate::domain::health::Limits;
use crate::domain::health::scene::{Scene, name, now};

const PLAIN: Style = Style { colour: false, terminal: false };

/// What the command line asks for, as a plan on the scene.
fn printed(line: &str, form: Output, change: impl FnOnce(&mut Scene)) -> String {
    let said = format!("howdah act {line}");
    let cli = Cli::try_parse_from(said.split(' ')).unwrap_or_else(|e| panic!("{e}"));
    let Some(Command::Act(args)) = cli.command else { panic!("{said}") };
    let mut scene = Scene::healthy();
    change(&mut scene);
    let facts = scene.facts();
    let at = args.act.at();
    let because = at.following.because.clone();
    let wish = Wish { cluster: scene.cluster.key.clone(), act: args.act.act().unwrap(), because };
    let view = View { facts: &facts, history: None, limits: &Limits::default(), now: now() };
    plan_text(&catalog::plan(&wish, view).unwrap(), &[], form, PLAIN).unwrap()
}

/// What is otherwise in the scene.
type Change<'a> = &'a dyn Fn(&mut Scene);

#[test]
fn plans_as_they_are_printed() {
    let fenced = |s: &mut Scene| s.cluster.fenced = Fenced::Some([name(2)].into());
    let asleep = |s: &mut Scene| {
        s.cluster.hibernation = Some(Hibernation::Hibernated);
        s.cluster.instances.iter_mut().for_each(|i| i.pod = None);
    };
    let new = |s: &mut Scene| s.cluster.operator_version = Some("1.30.0".into());
    let far = |s: &mut Scene| s.leads().standbys[0].replay = "0/100".parse().ok();
    let all: [(&str, &str, Change<'_>); 14] = [
        ("switchover", "switchover pg", &|_| {}),
        ("switchover-lagging", "switchover pg --to pg-2", &far),
        ("restart-standby", "restart pg --instance pg-2", &|_| {}),
        ("restart-primary", "restart pg --instance pg-1", &|_| {}),
        ("restart-cluster", "restart pg", &|_| {}),
        ("reload", "reload pg", &|_| {}),
        ("fence", "fence pg --instance pg-2", &|_| {}),
        ("fence-all", "fence pg --all --because drill", &|_| {}),
        ("unfence", "unfence pg --instance pg-2", &fenced),
        ("hibernate", "hibernate pg", &|_| {}),
        ("wake", "wake pg", &asleep),
        ("rebuild", "rebuild pg --instance pg-3", &new),
        ("scale-down", "scale pg --instances 2", &|_| {}),
        ("maintenance", "maintenance pg open --reuse-volumes true", &|_| {}),
    ];
    for (title, line, change) in all {
        insta::assert_snapshot!(title, printed(line, Output::Table, change));
    }
}

#[test]
fn a_plan_for_programs_and_for_a_ticket() {
    let json: serde_json::Value = serde_json::from_str(&printed("switchover pg", Output::Json, |_| {})).unwrap();
    assert_eq!(json["kind"], "switchover");
    assert_eq!(json["weight"], "good");
    assert_eq!(json["steps"][0]["request"]["body"]["status"]["targetPrimary"], "pg-2");
    assert_eq!(json["candidates"].as_array().unwrap().len(), 2);
    let md = printed("switchover pg", Output::Md, |_| {});
    assert!(md.starts_with("# Switch over from pg-1 to pg-2\n"), "{md}");
}

#[test]
fn mistakes_on_the_command_line() {
    for wrong in [
        "act",
        "act promote pg",
        "act switchover",
        "act fence pg",
        "act fence pg --all --instance pg-2",
        "act scale pg",
        "act scale pg --instances many",
        "act rebuild pg",
        "act maintenance pg",
        "act maintenance pg shut",
    ] {
        let said = format!("howdah {wrong}");
        assert!(Cli::try_parse_from(said.split(' ')).is_err(), "{wrong}");
    }
}
