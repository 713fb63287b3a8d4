//! Files as people write them: what is right is taken, of what is wrong everything is said with its place.

use super::super::language::Datum;
use super::super::{How, On, Runbooks, Target, file};
use super::runbook;
use crate::domain::health::ReasonCode;
use crate::procedure::kind::Kind;
use crate::procedure::question::Question;
use proptest::prelude::*;

const GOOD: &str = r#"
title = "Mine"
summary = "For a test."
when = ["archive-failing"]

[[step]]
name = "first"
title = "Look at {primary}"
words = """
One paragraph
of two lines.

Another."""
values = ["archiver.last", "standbys.lag"]
look = [
  { title = "More than 4 wait", value = "archiver.ready > 4" },
  { title = "Blocked", ask = "blocked", rows = "> 0" },
  { title = "Own", sql = "SELECT 1", on = "instance", holds = "= 1", monitor = true },
  { title = "Exported", metric = "x_total", labels = { a = "b" }, holds = ">= 2.5" },
]
commands = [{ look = "kubectl get pods -n {namespace}", why = "to see" }, { change = "kubectl delete pod {instance}", operator = "pgo" }]
next = { yes = "last", no = "done" }

[[step]]
title = "Between"
act = { name = "rebuild", instance = "{instance}" }

[[step]]
name = "last"
title = "End"
act = "restart"
"#;

fn wrong(text: &str) -> Vec<String> {
    file::read("mine.toml", text).1.iter().map(|m| m.line()).collect()
}

#[test]
fn everything_that_can_be_said_is_read() {
    let r = runbook(GOOD);
    assert_eq!((r.name.as_str(), r.when.as_slice()), ("mine", [ReasonCode::ArchiveFailing].as_slice()));
    let s = &r.steps[0];
    assert_eq!(s.words, ["One paragraph of two lines.", "Another."]);
    assert!(matches!(&s.look[0].how, How::Value(c) if c.against.literal == Datum::Number(4.0)));
    let How::Ask { question: Question::Sql { monitor: true, .. }, on: On::Instance, holds: Some(_) } = &s.look[2].how
    else {
        panic!("{:?}", s.look[2])
    };
    assert!(matches!(&s.look[3].how, How::Ask { question: Question::Metric { labels, .. }, .. } if labels["a"] == "b"));
    assert_eq!(
        (&s.next.yes, &s.next.no, &s.next.unknown),
        (&Target::Step("last".into()), &Target::Done, &Target::Following)
    );
    assert_eq!(r.steps[1].name, "step-2");
    assert_eq!(r.steps[1].act.as_ref().map(|a| a.kind), Some(Kind::Rebuild));
    assert_eq!(r.steps[2].act.as_ref().map(|a| a.kind), Some(Kind::RestartCluster));
}

#[test]
fn each_mistake_has_its_place_and_the_nearest_name() {
    let said = wrong(&GOOD.replace("archiver.ready > 4", "archiver.redy > 4"));
    assert_eq!(said, ["mine.toml:16:42: no such value: `archiver.redy`; did you mean `archiver.ready`?"]);
    let said = wrong(&GOOD.replace("archive-failing", "archive-faling"));
    assert_eq!(said, ["mine.toml:4:9: no such reason: `archive-faling`; did you mean `archive-failing`?"]);
    let said = wrong(&GOOD.replace("{namespace}", "{namespac}"));
    assert_eq!(said, ["mine.toml:21:43: no such placeholder: `{namespac}`; did you mean `namespace`?"]);
    let said = wrong(&GOOD.replace("yes = \"last\"", "yes = \"first\""));
    assert!(said[0].contains("is not further down"), "{said:?}");
    let said = wrong(&GOOD.replace("yes = \"last\"", "yes = \"lst\""));
    assert!(said[0].ends_with("no such step: `lst`; did you mean `last`?"), "{said:?}");
    let said = wrong(&GOOD.replace("ask = \"blocked\"", "ask = \"bloked\""));
    assert!(said[0].ends_with("no such query: `bloked`; did you mean `blocked`?"), "{said:?}");
    let said = wrong(&GOOD.replace("SELECT 1", "DELETE FROM t"));
    assert!(said[0].ends_with("a query begins with SELECT, WITH, VALUES or TABLE, not with `delete`"), "{said:?}");
    let said = wrong(&GOOD.replace("\"restart\"", "\"restrat\""));
    assert!(said[0].ends_with("no such act: `restrat`; did you mean `restart`?"), "{said:?}");
    let said = wrong(&GOOD.replace("name = \"last\"", "name = \"first\""));
    assert!(said.iter().any(|s| s.ends_with("there is another step called `first`")), "{said:?}");
    let said = wrong("[[step]]\ntitle = \"x\"\nnext = { no = \"done\" }\n");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("a runbook has a title") && said[1].contains("nothing decides where to go"), "{said:?}");
}

#[test]
fn an_own_one_replaces_what_ships_and_a_wrong_one_does_not() {
    let own = |name: &str, text: &str| (format!("/home/me/runbooks/{name}.toml"), text.to_owned());
    let (all, mistakes) = Runbooks::with([own("wal-archiving-failing", GOOD), own("no-insight", "titel = 1")]);
    assert!(all.get("wal-archiving-failing").is_some_and(|r| r.own && r.title == "Mine"));
    assert!(all.get("no-insight").is_some_and(|r| !r.own && r.steps.len() > 3));
    assert!(mistakes.iter().all(|m| m.file.ends_with("no-insight.toml")) && !mistakes.is_empty());
    let (all, _) = Runbooks::with([own("ours", GOOD)]);
    assert_eq!(
        all.for_reason(ReasonCode::ArchiveFailing).map(|r| r.name.as_str()),
        Some("ours"),
        "one's own goes first"
    );
}

proptest! {
    #[test]
    fn no_file_panics(s in any::<String>(), from in 0usize..900, to in 0usize..900) {
        let _ = file::read("a", &s);
        // A good file with a piece torn out.
        let (from, to) = (from.min(GOOD.len()), to.min(GOOD.len()));
        if from < to && GOOD.is_char_boundary(from) && GOOD.is_char_boundary(to) {
            let _ = file::read("a", &format!("{}{}", &GOOD[..from], &GOOD[to..]));
        }
    }
}
