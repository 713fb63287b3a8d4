//! Reload: the operator and the instances look at the settings anew.

use super::cnpg;
use super::guards::Needs;
use super::making::{Making, SOON};
use crate::domain::source::Witness;
use crate::problem::Problem;
use crate::procedure::check::Check;
use crate::procedure::kind::Kind;
use crate::procedure::plan::{Gate, Plan, Step, Weight};

pub(super) fn plan(m: &mut Making<'_>) -> Result<Plan, Problem> {
    m.guard(Needs { settled: false, ..Needs::USUAL });
    let waiting: Vec<_> = m
        .cluster
        .instances
        .iter()
        .filter_map(|i| Some((i, m.e.samples(&i.name)?.status.as_ref()?.value()?)))
        .filter(|(_, s)| s.pending_restart)
        .map(|(i, _)| i.name.clone())
        .collect();
    for name in &waiting {
        let text = format!("{name} waits for a restart: a reload does not give it that");
        m.found_by("pending restart", Weight::Justify, text, &Witness::Status(name.clone()));
    }
    let value = cnpg::micros(m.now());
    let asked = Check::Requested { annotation: cnpg::RELOADED.into(), value: value.clone() };
    let then = if waiting.is_empty() {
        vec![Check::Settled]
    } else {
        let there = m.cluster.instances.iter().filter(|i| i.pod.is_some());
        there.map(|i| Check::Serves { instance: i.name.clone() }).collect()
    };
    let step = Step::new(
        "reload",
        "have the settings read anew",
        format!(
            "The operator reconciles and each instance writes its settings again; nothing restarts. Waits up to {SOON:#} for \
             every instance to answer again and to wait for no restart."
        ),
    )
    .gated(Gate::Approve)
    .does(cnpg::reload(m.cluster, &value))
    .proven_by(Check::All(std::iter::once(asked).chain(then).collect()), SOON);
    let title = format!("reload {}", m.name());
    Ok(m.plan(Kind::Reload, title, vec![step]))
}
