//! Which Kubernetes is meant: kubeconfig files, contexts, or the cluster howdah itself runs in.

use kube::config::{Context as NamedContext, Kubeconfig};
use std::path::PathBuf;

use crate::domain::names::Context;
use crate::problem::Problem;

/// One context to look at, and where its credentials are read from: read anew for each new client, because tokens and
/// certificates in these files get renewed by others.
#[derive(Clone, Debug)]
pub struct Target {
    /// The context's name; `in-cluster` for a service account.
    pub context: Context,
    /// The kubeconfig files; empty: the service account of the pod howdah runs in.
    pub files: Vec<PathBuf>,
}

/// The name shown for the cluster that howdah runs in.
pub const IN_CLUSTER: &str = "in-cluster";

/// The files that count: those given, else `KUBECONFIG` (a list), else `~/.kube/config`. Missing files of a list are
/// skipped, as kubectl does.
///
/// # Errors
/// A given file that does not exist.
pub fn files(given: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    if let Some(missing) = given.iter().find(|f| !f.exists()) {
        return Err(Problem::usage(format!("no kubeconfig at {}", missing.display()))
            .because("the file does not exist")
            .try_this("check --kubeconfig"));
    }
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    if let Some(list) = std::env::var_os("KUBECONFIG").filter(|l| !l.is_empty()) {
        return Ok(std::env::split_paths(&list).filter(|p| !p.as_os_str().is_empty() && p.exists()).collect());
    }
    let home = std::env::home_dir().map(|h| h.join(".kube").join("config"));
    Ok(home.into_iter().filter(|p| p.exists()).collect())
}

/// Reads and merges kubeconfig files; the first to say something wins.
///
/// # Errors
/// A file that can't be read or understood, by name.
pub fn read(files: &[PathBuf]) -> Result<Kubeconfig, Problem> {
    let mut merged = Kubeconfig::default();
    for file in files {
        let broken = |e: &dyn std::fmt::Display| {
            Problem::usage(format!("can't read the kubeconfig {}", file.display()))
                .because(first_line(&e.to_string()))
                .try_this("kubectl config view shows what kubectl makes of it")
        };
        let one = Kubeconfig::read_from(file).map_err(|e| broken(&e))?;
        merged = merged.merge(one).map_err(|e| broken(&e))?;
    }
    Ok(merged)
}

/// The targets for the chosen contexts.
///
/// # Errors
/// No kubeconfig at all, no current context, or an unknown context (with the nearest names).
pub fn targets(given: &[PathBuf], contexts: &[String]) -> Result<Vec<Target>, Problem> {
    let files = files(given)?;
    if files.is_empty() {
        return in_cluster(contexts);
    }
    let config = read(&files)?;
    let names: Vec<&str> = config.contexts.iter().map(|c| c.name.as_str()).collect();
    let chosen: Vec<String> = if contexts.is_empty() {
        vec![current(&config, &files)?]
    } else {
        let mut seen = std::collections::BTreeSet::new();
        contexts.iter().filter(|c| seen.insert(c.as_str())).cloned().collect()
    };
    chosen
        .into_iter()
        .map(|name| match names.contains(&name.as_str()) {
            true => Ok(Target { context: Context::from(&name), files: files.clone() }),
            false => Err(unknown(&name, &names)),
        })
        .collect()
}

fn in_cluster(contexts: &[String]) -> Result<Vec<Target>, Problem> {
    let inside = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    if inside && contexts.iter().all(|c| c == IN_CLUSTER) {
        return Ok(vec![Target { context: Context::from(IN_CLUSTER), files: Vec::new() }]);
    }
    Err(Problem::usage("no kubeconfig was found")
        .because("no --kubeconfig, no file of KUBECONFIG and no ~/.kube/config exists, and this is no pod")
        .try_this("az aks get-credentials or aws eks update-kubeconfig writes one; howdah lab needs none"))
}

fn current(config: &Kubeconfig, files: &[PathBuf]) -> Result<String, Problem> {
    if let Some(name) = config.current_context.clone().filter(|n| !n.is_empty()) {
        return Ok(name);
    }
    if let [only] = config.contexts.as_slice() {
        return Ok(only.name.clone());
    }
    let shown: Vec<_> = files.iter().map(|f| f.display().to_string()).collect();
    if config.contexts.is_empty() {
        return Err(Problem::usage("no context is chosen")
            .because(format!("{} has no contexts at all", shown.join(", ")))
            .try_this(
                "write one with az aks get-credentials or aws eks update-kubeconfig, or choose another --kubeconfig",
            ));
    }
    Err(Problem::usage("no context is chosen")
        .because(format!("{} names no current-context", shown.join(", ")))
        .try_this(format!("--context with one of: {}", list(config.contexts.iter().map(|c| c.name.as_str())))))
}

fn unknown(name: &str, names: &[&str]) -> Problem {
    let near = nearest(name, names.iter().copied());
    let hint = match near.as_slice() {
        [] if names.is_empty() => "the kubeconfig holds no context".to_owned(),
        [] => format!("there are: {}", list(names.iter().copied())),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    Problem::usage(format!("no such context: {name}")).because("no kubeconfig file names it").try_this(hint)
}

/// Up to eight names, and how many more there are.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = names.collect();
    let shown = all.iter().take(8).copied().collect::<Vec<_>>().join(", ");
    if all.len() > 8 { format!("{shown} and {} more", all.len() - 8) } else { shown }
}

/// The up to three names nearest to what was typed, nearest first; none that is far off.
pub fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| {
            let lower = name.to_lowercase();
            let inside = !typed.is_empty() && (lower.contains(&typed) || typed.contains(&lower));
            (strsim::jaro_winkler(&typed, &lower).max(if inside { 0.9 } else { 0.0 }), name)
        })
        .filter(|(score, _)| *score >= 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The namespace a context is set to.
pub fn namespace(config: &Kubeconfig, context: &str) -> Option<String> {
    let find = |c: &NamedContext| c.namespace.clone().filter(|n| !n.is_empty());
    config.contexts.iter().find(|c| c.name == context)?.context.as_ref().and_then(find)
}

fn first_line(text: &str) -> &str {
    text.lines().find(|l| !l.trim().is_empty()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Exit;

    const TWO: &str = "apiVersion: v1\nkind: Config\ncurrent-context: aks-primary\nclusters:\n- name: a\n  cluster: {server: 'https://127.0.0.1:1'}\nusers: []\ncontexts:\n- name: aks-primary\n  context: {cluster: a, user: '', namespace: pg}\n- name: eks-west\n  context: {cluster: a, user: ''}\n";

    fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        std::fs::write(&file, text).unwrap();
        (dir, file)
    }

    #[test]
    fn the_current_context_or_those_chosen() {
        let (_dir, file) = write(TWO);
        let files = [file];
        let names = |contexts: &[&str]| {
            let contexts: Vec<_> = contexts.iter().map(|c| c.to_string()).collect();
            targets(&files, &contexts).map(|t| t.into_iter().map(|t| t.context.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["aks-primary"]);
        assert_eq!(names(&["eks-west", "aks-primary", "eks-west"]).unwrap(), ["eks-west", "aks-primary"]);
        let e = names(&["aks-primry"]).unwrap_err();
        assert_eq!((e.exit, e.try_this.as_deref()), (Exit::Usage, Some("did you mean aks-primary?")));
        let e = names(&["zzz"]).unwrap_err();
        assert_eq!(e.try_this.as_deref(), Some("there are: aks-primary, eks-west"));
        assert_eq!(namespace(&read(&files).unwrap(), "aks-primary").as_deref(), Some("pg"));
    }

    #[test]
    fn several_files_are_one() {
        let (_a, first) = write(TWO);
        let (_b, second) = write(&TWO.replace("aks-primary", "other").replace("eks-west", "third"));
        let merged = targets(&[first, second], &["third".into(), "eks-west".into()]).unwrap();
        assert_eq!(merged.len(), 2);
    }

    #[test]
    fn broken_and_missing_files_are_named() {
        let (_dir, file) = write("contexts: [");
        let e = targets(std::slice::from_ref(&file), &[]).unwrap_err();
        assert!(e.what.contains(&file.display().to_string()), "{e}");
        let e = targets(&[PathBuf::from("/no/such/file")], &[]).unwrap_err();
        assert_eq!(e.exit, Exit::Usage);
    }

    #[test]
    fn nearest_names() {
        assert_eq!(nearest("pg-ordres", ["pg-orders", "billing", "hippo"].into_iter()), ["pg-orders"]);
        assert_eq!(nearest("orders", ["pg-orders", "hippo"].into_iter()), ["pg-orders"]);
        assert!(nearest("x", ["pg-orders"].into_iter()).is_empty());
    }
}
