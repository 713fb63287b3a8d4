//! `howdah lab`: the console on a lab of its own, in one process.

use std::time::Duration;

use super::{Start, console};
use crate::adapters::Config;
use crate::lab::{Lab, LabOptions};
use crate::problem::Problem;

/// How long ending the lab may take before it is ended at once.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Starts a lab, opens the console on it as soon as its API answers (the cluster comes to life on the screen), and ends
/// the lab when the console ends, however that was.
///
/// # Errors
/// What keeps the lab or the console from beginning.
pub async fn lab(options: LabOptions, start: Start) -> Result<(), Problem> {
    eprintln!("starting a three-zone PostgreSQL cluster on this machine …");
    let lab = Lab::start(options).await?;
    let world = Config { kubeconfig: vec![lab.kubeconfig()], ..start.world };
    let ended = console(Start { world, ..start }).await;
    eprintln!("ending the lab …");
    let _ = tokio::time::timeout(END_WITHIN, lab.stop()).await;
    ended
}
