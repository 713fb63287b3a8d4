//! What is looked at before a restore.

use super::manifest::{Manifest, Wanted};
use super::origin::{Origin, Via, text};
use super::{Ground, RestoreWish};
use crate::domain::backup::target::{Plotted, RecoveryTarget};
use crate::domain::names::ClusterKey;
use crate::domain::quantity::{age, age_of};
use crate::domain::source::Witness;
use crate::problem::Problem;
use crate::procedure::catalog::cnpg;
use crate::procedure::catalog::guards::{self, Needs};
use crate::procedure::catalog::making::Making;
use crate::procedure::plan::Weight;
use jiff::SignedDuration;

/// `archive_timeout` as CloudNativePG sets it: a target nearer to the archive's end may have no later commit in it.
const NEAR: SignedDuration = SignedDuration::from_mins(5);
/// The version that takes a service account by its name, and the one that has no Barman of its own any more.
const SERVICE_ACCOUNT: (u32, u32) = (1, 29);
const NO_BARMAN: (u32, u32) = (1, 31);

pub(super) fn look(
    m: &mut Making<'_>,
    wish: &RestoreWish,
    ground: &Ground,
    wanted: &Wanted,
    manifest: &Manifest,
) -> Result<(), Problem> {
    let origin = ground.source.origin()?;
    guards::freshness(m);
    guards::operator(m, Needs::USUAL);
    base(m, &wanted.plotted);
    loss(m, wish, &wanted.plotted);
    name(m, wish, ground);
    for finding in &manifest.findings {
        m.found(&finding.about, finding.weight, &finding.text);
    }
    archive(m, wish, &origin, manifest);
    barman(m, &origin);
    identity(m, wish, ground, &origin, manifest);
    nodes(m, wanted, manifest);
    Ok(())
}

/// The base backup that was chosen, and what will be replayed.
fn base(m: &mut Making<'_>, plotted: &Plotted) {
    let base = &plotted.base;
    let ended = base.ended.map(|at| format!(", ended at {at:.0}")).unwrap_or_default();
    m.good("base backup", format!("{}{ended}; {} to replay", base.id, plotted.replay.words()));
    let window = &plotted.window;
    let moment = |at: Option<jiff::Timestamp>| at.map_or_else(|| "an unknown time".to_owned(), |at| format!("{at:.0}"));
    let text = format!("{} lies within {} to {}", plotted.target, moment(window.from), moment(window.until));
    if plotted.target.time().is_some() {
        m.good("window", text);
    }
    if let Some(other) = &plotted.by_itself {
        let text = format!("by itself the operator would begin with {other}; the manifest names {}", base.id);
        m.found("base backup", Weight::Heed, text);
    }
    if let Some(timeline) = plotted.lead_to {
        let text = format!("{} is off the way to the newest timeline: it is led to the end of {timeline}", base.id);
        m.found("timeline", Weight::Heed, text);
    }
    match plotted.to_the_end() {
        Some(left) if left < NEAR && plotted.window.is_open() => {
            let text = format!(
                "the archive ends {} after it: without a later commit there the recovery fails, and is tried again until \
                 one is archived",
                age_of(left)
            );
            m.found("archive's end", Weight::Heed, text);
        }
        _ => {}
    }
}

/// What the new cluster will not have.
fn loss(m: &mut Making<'_>, wish: &RestoreWish, plotted: &Plotted) {
    let source = &wish.cluster.name;
    let now = m.now();
    let text = match &plotted.target {
        RecoveryTarget::Time(at) => {
            format!("what was committed after {at} ({} until now) is not in it; {source} keeps it", age(*at, now))
        }
        RecoveryTarget::Latest => match plotted.window.until {
            Some(until) => {
                format!("what was committed since the last WAL was archived ({} ago) is not in it", age(until, now))
            }
            None => "what was not archived is not in it".into(),
        },
        RecoveryTarget::Immediate => match plotted.base.ended {
            Some(at) => format!("what was committed after {at:.0}, when the base backup ended, is not in it"),
            None => "what was committed after the end of the base backup is not in it".into(),
        },
        other => {
            format!("what was committed after {other} is not in it; if that is not in the WAL, the recovery fails")
        }
    };
    m.found("not in it", Weight::Heed, text);
}

/// The name is free, and so are the volumes that go by it.
fn name(m: &mut Making<'_>, wish: &RestoreWish, ground: &Ground) {
    let about = "name";
    let new = ClusterKey::new(wish.cluster.context.clone(), &wish.cluster.namespace, &wish.name);
    if m.view.facts.clusters.contains_key(&new) {
        m.found(about, Weight::Blocks, format!("there is a cluster {new} already"));
        return;
    }
    match &ground.claims {
        None => m.found(
            about,
            Weight::Heed,
            format!("whether volumes of an earlier {} are left can't be listed", wish.name),
        ),
        Some(claims) if claims.is_empty() => m.good(about, format!("{new} is free")),
        Some(claims) => {
            let text = format!("volume claims of an earlier {} are left: {}", wish.name, claims.join(", "));
            m.found(about, Weight::Blocks, text);
        }
    }
}

/// Two clusters must not write into one archive.
fn archive(m: &mut Making<'_>, wish: &RestoreWish, origin: &Origin, manifest: &Manifest) {
    let about = "its archive";
    let Some(server) = &wish.archive_as else {
        if !manifest.archives() {
            let text = format!(
                "{} will archive NOTHING: nobody could restore it. --archive-as SERVERNAME gives it a folder of its own",
                wish.name
            );
            m.found(about, Weight::Heed, text);
        }
        return;
    };
    if *server == origin.server {
        let text = format!(
            "{server} is the folder of {}: the operator refuses to write there (\"Expected empty archive\"). The annotation \
             cnpg.io/skipEmptyWalArchiveCheck would have both write among each other's WAL: it is never set from here",
            wish.cluster.name
        );
        m.found(about, Weight::Blocks, text);
        return;
    }
    let here = |c: &&std::sync::Arc<crate::domain::cluster::Cluster>| {
        c.key.context == wish.cluster.context
            && c.archiving.server_name.as_deref() == Some(server)
            && c.archiving.destination == m.cluster.archiving.destination
    };
    if let Some(other) = m.view.facts.clusters.values().find(here) {
        let text = format!("{server} is the folder of {}: the operator refuses to write there", other.key);
        m.found(about, Weight::Blocks, text);
        return;
    }
    let text = format!(
        "folder {server} of the same store; if it is not empty, the recovery fails (\"Expected empty archive\")"
    );
    m.good(about, text);
}

/// Barman within the operator goes.
fn barman(m: &mut Making<'_>, origin: &Origin) {
    let about = "barmanObjectStore";
    match (&origin.via, cnpg::version(m.cluster)) {
        (Via::InTree, Some(version)) if version >= NO_BARMAN => {
            let text = format!("CloudNativePG {}.{} has none any more: the plugin restores", version.0, version.1);
            m.found(about, Weight::Blocks, text);
        }
        (Via::Plugin(store), _) if origin.section.is_null() => {
            m.found(
                "ObjectStore",
                Weight::Heed,
                format!("ObjectStore {store} could not be read: by whom it is read neither"),
            );
        }
        _ => {}
    }
}

/// A cloud's identity is bound to the service account by its name, and the new cluster has another one.
fn identity(m: &mut Making<'_>, wish: &RestoreWish, ground: &Ground, origin: &Origin, manifest: &Manifest) {
    let about = "identity";
    let version = cnpg::version(m.cluster);
    if let (Some(account), Some(known)) = (&wish.service_account, version)
        && known < SERVICE_ACCOUNT
    {
        let text = format!(
            "service account {account} can be named from CloudNativePG 1.29 on; this is {}.{}",
            known.0, known.1
        );
        m.found(about, Weight::Blocks, text);
        return;
    }
    let azure = origin.by_azure_identity();
    if !azure && !origin.by_cloud_role() {
        return;
    }
    let cluster = &ground.source.cluster;
    let own = match text(cluster, "/spec/serviceAccountName") {
        "" => ground.source.name(),
        name => name,
    };
    let account = manifest.service_account();
    if account == own {
        m.good(about, format!("its pods run as {account}, as those of {} do", wish.cluster.name));
        return;
    }
    let subject = format!("system:serviceaccount:{}:{account}", wish.cluster.namespace);
    let borrow = match version {
        Some(known) if known >= SERVICE_ACCOUNT => format!(", or --service-account {own}"),
        _ => String::new(),
    };
    let text = if azure {
        format!(
            "its pods read the store as service account {account}, which the Azure identity has to trust. Where it does not \
             yet: az identity federated-credential create --name {} --identity-name IDENTITY --resource-group GROUP --issuer \
             OIDC_ISSUER --subject {subject} --audience api://AzureADTokenExchange{borrow}",
            wish.name
        )
    } else {
        format!("its pods read the store as {subject}, which the cloud's role has to trust{borrow}")
    };
    m.found(about, Weight::Heed, text);
}

/// Somewhere to run.
fn nodes(m: &mut Making<'_>, wanted: &Wanted, manifest: &Manifest) {
    let about = "nodes";
    let Some(nodes) = m.view.facts.nodes.get(&m.cluster.key.context) else { return };
    let free = nodes.iter().filter(|n| n.ready == Some(true) && !n.unschedulable).count();
    let apart = text(&manifest.body, "/spec/affinity/podAntiAffinityType") == "required";
    let text = format!("{free} take pods, for {} instances", wanted.instances);
    let weight = match u32::try_from(free).unwrap_or(u32::MAX) {
        0 if nodes.is_empty() => return,
        0 => Weight::Blocks,
        n if n < wanted.instances && apart => Weight::Justify,
        n if n < wanted.instances => Weight::Heed,
        _ => Weight::Good,
    };
    m.found_by(about, weight, text, &Witness::Sources);
}
