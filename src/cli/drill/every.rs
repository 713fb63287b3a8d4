//! `--every`: what has Kubernetes itself run the drill, on a schedule. Nothing is sent: it is printed, to be looked at.

use serde::Serialize;
use serde_json::{Value, json};

use super::restore::Restoring;
use crate::cli::args::Global;
use crate::domain::backup::cron::{Cron, Dialect};
use crate::problem::Problem;

/// What is looked at, by API group.
const LOOKED_AT: [(&str, &[&str]); 9] = [
    ("postgresql.cnpg.io", &["clusters", "backups", "scheduledbackups", "poolers"]),
    ("barmancloud.cnpg.io", &["objectstores"]),
    (
        "",
        &["pods", "pods/log", "pods/proxy", "services", "endpoints", "persistentvolumeclaims", "events", "configmaps"],
    ),
    ("", &["secrets", "serviceaccounts"]),
    ("batch", &["jobs"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("coordination.k8s.io", &["leases"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["roles", "rolebindings"]),
];
/// What may be left of a scratch cluster where nobody collects it.
const DELETED: [(&str, &[&str]); 7] = [
    ("", &["pods", "persistentvolumeclaims", "secrets", "services", "serviceaccounts", "configmaps"]),
    ("batch", &["jobs"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("coordination.k8s.io", &["leases"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["roles", "rolebindings"]),
    ("postgresql.cnpg.io", &["clusters"]),
];
/// Seconds that a drill which is told to go has for its cleaning up.
const GRACE: u32 = 900;

/// The manifests, as YAML.
///
/// # Errors
/// The schedule is none, no image or no namespace is said, or the flags can't be said again.
pub fn manifests(global: &Global, args: &Restoring, every: &str) -> Result<String, Problem> {
    let cron = schedule(every)?;
    let image = args.image.as_deref().ok_or_else(|| {
        Problem::usage("no image is said")
            .because("howdah publishes none: build one that has howdah as its entry point")
            .try_this("--image REGISTRY/howdah:TAG")
    })?;
    let (namespace, cluster) = whose(global, &args.cluster)?;
    let name = format!("howdah-restore-drill-{cluster}");
    let labels = json!({"app.kubernetes.io/managed-by": "howdah", "howdah.dev/drills": cluster});
    let metadata = json!({"name": name, "namespace": namespace, "labels": labels});
    let all = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules()}),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata,
            "spec": job(every, &name, image, &said(args, &namespace, &cluster))}),
    ];
    let mut text = format!(
        "# A restore drill of {namespace}/{cluster}, {}.\n# Nothing was sent: kubectl apply -f - makes it. Its report is \
         its pod's log; a drill that fails is a Job that fails.\n# Its journal ends with its pod. A pod that is killed at \
         once leaves its scratch cluster, which bears the label howdah.dev/restore-drill.\n",
        cron.words()
    );
    for object in &all {
        text.push_str("---\n");
        text.push_str(&yaml(object)?);
    }
    Ok(text)
}

fn yaml(value: &impl Serialize) -> Result<String, Problem> {
    crate::cli::output::answer(crate::cli::args::Output::Yaml, value, String::new, String::new)
}

/// Five fields, as Kubernetes reads them.
fn schedule(every: &str) -> Result<Cron, Problem> {
    let wrong = |why: String| {
        Problem::usage(format!("{every:?} is no schedule"))
            .because(why)
            .try_this("minute hour day month weekday, as in '0 3 * * 0'; Kubernetes knows no seconds")
    };
    let fields = every.split_whitespace().count();
    if !every.trim_start().starts_with('@') && fields != 5 {
        return Err(wrong(format!("it has {fields} fields")));
    }
    Cron::parse(every, Dialect::CronJob).map_err(wrong)
}

/// The namespace and the cluster's name.
fn whose(global: &Global, said: &str) -> Result<(String, String), Problem> {
    let own = said.rsplit(':').next().unwrap_or(said);
    let (namespace, name) = match (own.split_once('/'), global.namespace.as_slice()) {
        (Some((namespace, name)), _) => (namespace, name),
        (None, [namespace]) => (namespace.as_str(), own),
        (None, _) => {
            return Err(Problem::usage("no namespace is said").try_this(format!("NAMESPACE/{own}, or -n NAMESPACE")));
        }
    };
    Ok((namespace.to_owned(), name.to_owned()))
}

fn rules() -> Value {
    let rule = |(group, resources): (&str, &[&str]), verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    let mut all: Vec<Value> = LOOKED_AT.iter().map(|r| rule(*r, &["get", "list", "watch"])).collect();
    all.extend(DELETED.iter().map(|r| rule(*r, &["delete"])));
    all.push(rule(("postgresql.cnpg.io", &["clusters"]), &["create"]));
    all.push(rule(("", &["pods/exec", "pods/portforward"]), &["get", "create"]));
    Value::Array(all)
}

/// The command line again, without what only concerns this printing.
fn said(args: &Restoring, namespace: &str, cluster: &str) -> Vec<String> {
    let mut all: Vec<String> =
        ["drill", "restore", &format!("{namespace}/{cluster}"), "-n", namespace, "--yes", "-o", "json"]
            .map(str::to_owned)
            .into();
    let mut flag = |name: &str, value: Option<String>| {
        all.extend(value.into_iter().flat_map(|v| [format!("--{name}"), v]));
    };
    flag("backup", args.backup.clone());
    flag("rto", args.rto.map(|rto| format!("{}s", rto.as_secs().max(1))));
    flag("database", Some(args.database.clone()));
    flag("tables", (!args.tables.is_empty()).then(|| args.tables.join(",")));
    flag("max-size", Some(args.max_size.to_string()));
    flag("because", Some(args.following.because.clone().unwrap_or_else(|| "a drill on a schedule".into())));
    all
}

fn job(every: &str, account: &str, image: &str, args: &[String]) -> Value {
    let limits = json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}});
    json!({
        "schedule": every.trim(),
        // Two drills at once would only measure one another.
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": {
            "serviceAccountName": account,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": GRACE,
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "state", "emptyDir": {}}],
            "containers": [{
                "name": "howdah", "image": image, "args": args,
                "env": [{"name": "HOME", "value": "/state"}, {"name": "XDG_STATE_HOME", "value": "/state"}],
                "resources": limits,
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "state", "mountPath": "/state"}],
            }],
        }}}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cli::drill::DrillCommand;
    use clap::Parser;

    fn printed(more: &[&str]) -> Result<String, Problem> {
        let cli = Cli::try_parse_from([&["howdah", "drill", "restore"], more].concat()).unwrap();
        let Some(Command::Drill(drill)) = &cli.command else { panic!("no drill") };
        let DrillCommand::Restore(args) = &drill.command else { panic!("no restore") };
        manifests(&cli.global, args, args.every.as_deref().unwrap())
    }

    #[test]
    fn the_same_drill_again() {
        let flags =
            ["aks:pg/orders", "--every", "0 3 * * 0", "--image", "r/howdah:1", "--tables", "a,b", "--rto", "10m"];
        let text = printed(&flags).unwrap();
        let documents: Vec<&str> = text.split("---\n").collect();
        assert_eq!(documents.len(), 5, "{text}");
        for word in
            ["kind: CronJob", "0 3 * * 0", "r/howdah:1", "pg/orders", "a,b", "600s", "concurrencyPolicy: Forbid"]
        {
            assert!(documents[4].contains(word), "{word}: {text}");
        }
        // What it runs is a command that this very program understands.
        let args = said_in(&flags);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        assert!(Cli::try_parse_from([&["howdah"][..], &args].concat()).is_ok(), "{args:?}");
    }

    fn said_in(flags: &[&str]) -> Vec<String> {
        let cli = Cli::try_parse_from([&["howdah", "drill", "restore"], flags].concat()).unwrap();
        let Some(Command::Drill(drill)) = cli.command else { panic!("no drill") };
        let DrillCommand::Restore(args) = drill.command else { panic!("no restore") };
        said(&args, "pg", "orders")
    }

    #[test]
    fn a_role_may_all_that_the_plan_needs() {
        let text = rules().to_string();
        for word in ["pods/exec", "pods/log", "secrets", "objectstores", "\"create\"", "\"delete\""] {
            assert!(text.contains(word), "{word}");
        }
    }

    #[test]
    fn six_fields_and_no_image_are_refused() {
        let six = printed(&["pg/orders", "--every", "0 0 3 * * 0", "--image", "x"]).unwrap_err();
        assert!(six.because.unwrap().contains("6 fields"));
        assert!(printed(&["pg/orders", "--every", "0 3 * * 9x", "--image", "x"]).is_err());
        let image = printed(&["pg/orders", "--every", "0 3 * * 0"]).unwrap_err();
        assert!(image.because.unwrap().contains("publishes none"));
        assert!(printed(&["orders", "--every", "0 3 * * 0", "--image", "x"]).unwrap_err().what.contains("namespace"));
        assert!(printed(&["orders", "-n", "pg", "--every", "@daily", "--image", "x"]).is_ok());
    }
}
