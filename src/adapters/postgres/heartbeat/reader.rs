//! One connection that reads from what `-ro` leads to.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

use super::way::{Lost, Open, Rooms, patience};
use super::{Shared, rest};

/// The pause between two tries to reach somebody.
const PACE: Duration = Duration::from_millis(250);
/// No such table: it was not replicated yet.
const NOT_YET: &str = "42P01";

/// Reads until stopped.
pub async fn read(shared: Arc<Shared>, reader: u8, mut stop: watch::Receiver<bool>) {
    let every = Duration::try_from(shared.heart.every).unwrap_or_default();
    let text = format!("SELECT max(n) FROM {} WHERE writer = 0", shared.heart.table);
    let mut open: Option<Open> = None;
    let mut turn = usize::from(reader);
    let mut pause = Duration::ZERO;
    while rest(&mut stop, pause).await {
        pause = every;
        let Some(ready) = open.take() else {
            let reached = tokio::select! {
                reached = shared.way.open(Rooms::Standbys, turn, "-c default_transaction_read_only=on") => reached,
                _ = stop.wait_for(|stopped| *stopped) => return,
            };
            match reached {
                Ok(ready) => {
                    open = Some(ready);
                    continue;
                }
                // What our own way loses is no failed read.
                Err(Lost::Blind(_)) => {}
                Err(Lost::No(_)) => shared.answered(false),
            }
            turn += 1;
            pause = PACE.max(every);
            continue;
        };
        let asked = timeout(patience(&shared.heart), ready.line.client.query_one(&text, &[])).await;
        let well = match asked {
            Ok(Ok(_)) => true,
            Ok(Err(e)) => e.code().is_some_and(|code| code.code() == NOT_YET),
            Err(_) => false,
        };
        if well || shared.way.around.clients.answers().await {
            shared.answered(well);
        }
        if well {
            open = Some(ready);
        } else {
            turn += 1;
        }
    }
}
