//! Placeholders in words and command lines: `{namespace}`, `{primary}`. What is not known stays visible, as `<primary>`.

use super::Sight;
use crate::domain::cluster::{BackupObject, VolumePurpose};
use crate::domain::health::Level;
use crate::domain::names::InstanceName;
use crate::domain::picture::{Picture, belongs};

type Read = fn(&Sight<'_>) -> Option<String>;

/// Every placeholder: its name, what it is, and where it comes from.
pub const PLACEHOLDERS: &[(&str, &str, Read)] = &[
    ("context", "the kubeconfig's context", |s| Some(s.cluster.key.context.to_string())),
    ("namespace", "the cluster's namespace", |s| Some(s.cluster.key.namespace.to_string())),
    ("cluster", "the cluster's name", |s| Some(s.cluster.key.name.to_string())),
    ("primary", "the instance that leads, else the one that led last", |s| primary(s).map(|p| p.to_string())),
    ("instance", "the instance the walk is about", |s| s.about.map(ToString::to_string)),
    ("node", "that instance's node", |s| {
        let pod = s.cluster.instance(s.about?)?.pod.as_ref()?;
        pod.node.as_ref().map(ToString::to_string)
    }),
    ("zone", "that instance's zone", |s| s.cluster.instance(s.about?)?.zone.as_ref().map(ToString::to_string)),
    ("container", "the container that holds PostgreSQL", |s| {
        let pods = s.cluster.instances.iter().filter_map(|i| i.pod.as_ref());
        pods.map(|p| p.container.clone()).find(|c| !c.is_empty())
    }),
    ("standby", "a standby that is not the one the walk is about, else any", |s| {
        let leads = primary(s);
        let mut standbys: Vec<_> = s.cluster.instances.iter().filter(|i| Some(&i.name) != leads.as_ref()).collect();
        standbys.sort_by_key(|i| (s.about == Some(&i.name), i.pod.as_ref().is_none_or(|p| !p.ready)));
        standbys.first().map(|i| i.name.to_string())
    }),
    ("slot", "that instance's slot, else the inactive one that holds most WAL", slot),
    ("claim", "that instance's claim for data", |s| claim(s, VolumePurpose::Data)),
    ("wal-claim", "that instance's claim for WAL, else for data", |s| {
        claim(s, VolumePurpose::Wal).or_else(|| claim(s, VolumePurpose::Data))
    }),
    ("job", "a job that builds an instance and does not get on", |s| {
        let open = s.cluster.jobs.iter().filter(|j| !j.done);
        open.max_by_key(|j| (j.failed, j.trouble.is_some())).map(|j| j.name.clone())
    }),
    ("backup", "the newest backup that failed, else the newest", |s| {
        let all = &s.cluster.backups.objects;
        let failed = |o: &&std::sync::Arc<BackupObject>| o.phase.as_deref().is_some_and(|p| p != "completed");
        all.iter().find(failed).or(all.first()).map(|o| o.name.clone())
    }),
    ("certificate", "the secret whose certificate ends first", |s| {
        s.cluster.certificates.iter().min_by_key(|c| c.expires).map(|c| c.name.clone())
    }),
    ("operator-namespace", "where the operator runs", |s| operator(s).map(|(namespace, _)| namespace)),
    ("operator", "the operator's deployment", |s| operator(s).map(|(_, name)| name)),
];

fn primary(s: &Sight<'_>) -> Option<InstanceName> {
    Picture::of(s.facts, s.cluster).primary
}

fn slot(s: &Sight<'_>) -> Option<String> {
    let picture = Picture::of(s.facts, s.cluster);
    let slots = picture.slots?;
    let own = s.about.and_then(|about| slots.iter().find(|slot| belongs(slot, about)));
    let held = |slot: &crate::domain::replication::Slot| picture.current.and_then(|c| slot.retained(c));
    let worst = || slots.iter().filter(|slot| !slot.active).max_by_key(|slot| held(slot));
    own.or_else(worst).map(|slot| slot.name.clone())
}

fn claim(s: &Sight<'_>, purpose: VolumePurpose) -> Option<String> {
    let primary = primary(s);
    let whose = s.about.or(primary.as_ref())?;
    let mut own = s.cluster.volumes.iter().filter(|v| v.instance.as_ref() == Some(whose) && v.purpose == purpose);
    own.next().map(|v| v.name.clone())
}

fn operator(s: &Sight<'_>) -> Option<(String, String)> {
    let all = s.facts.operators.get(&s.cluster.key.context)?;
    let own = all.iter().find(|o| o.operator == s.cluster.operator)?;
    let (namespace, name) = own.deployment.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// The instance a walk is about when nobody said: the one the worst reason of these names, if any does.
pub fn about(sight: &Sight<'_>, when: &[crate::domain::health::ReasonCode]) -> Option<InstanceName> {
    let mut told = sight.health.reasons().filter(|r| r.level > Level::Ok && when.contains(&r.code));
    told.find_map(|r| r.instance.clone())
}

/// Places of placeholders in a text: byte ranges with their names. Only `{small-letters}` is one, so JSON and jsonpath in a
/// command line are left alone.
pub(super) fn places(text: &str) -> Vec<(std::ops::Range<usize>, &str)> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices('{') {
        let rest = &text[start + 1..];
        let Some(end) = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-') else { continue };
        if end > 0 && rest[end..].starts_with('}') {
            found.push((start..start + end + 2, &rest[..end]));
        }
    }
    found
}

/// The text with what is known filled in.
pub fn fill(text: &str, sight: &Sight<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (place, name) in places(text) {
        let Some((_, _, read)) = PLACEHOLDERS.iter().find(|(n, ..)| *n == name) else { continue };
        out.push_str(&text[done..place.start]);
        out.push_str(&read(sight).filter(|v| !v.is_empty()).unwrap_or_else(|| format!("<{name}>")));
        done = place.end;
    }
    out.push_str(&text[done..]);
    out
}

/// A command line, filled in and made to mean this cluster's Kubernetes whatever the shell's current context is.
pub fn for_shell(text: &str, sight: &Sight<'_>) -> String {
    let line = fill(text, sight);
    if !line.starts_with("kubectl ") || line.contains("--context") {
        return line;
    }
    let context = sight.cluster.key.context.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,".contains(c);
    let context =
        if context.chars().all(plain) { context.to_owned() } else { format!("'{}'", context.replace('\'', "'\\''")) };
    // What follows `--` is the program's in the pod, what follows a pipe another program's.
    let end = [" -- ", " | "].iter().filter_map(|s| line.find(s)).min().unwrap_or(line.len());
    format!("{} --context {context}{}", &line[..end], &line[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_letters_are_placeholders() {
        let text =
            r#"kubectl patch -p '{"spec":{"a":1}}' {cluster} -o jsonpath='{.status.phase}' {operator-namespace}"#;
        let names: Vec<_> = places(text).into_iter().map(|(_, n)| n).collect();
        assert_eq!(names, ["cluster", "operator-namespace"]);
        assert!(places("{} {A} {ä} {").is_empty());
    }
}
