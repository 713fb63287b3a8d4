//! kubectl's watches, and what they brought in the one order that the resource versions give.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::world::Kubectl;

/// Events by resource version, each with when it arrived: milliseconds since its watch began; 0 what was there already.
type Seen = Arc<Mutex<BTreeMap<u64, (i64, Value)>>>;

/// Running watches. They end with this.
pub struct Watches {
    children: Vec<Child>,
    seen: Seen,
    /// Watches that have not told yet what was there when they began.
    behind: Arc<AtomicUsize>,
}

impl Watches {
    /// Watches these paths of the API.
    pub fn begin(kubectl: &Kubectl, paths: &[String]) -> Watches {
        let (seen, behind) = (Seen::default(), Arc::new(AtomicUsize::new(paths.len())));
        let children = paths.iter().map(|path| watch(kubectl, path, &seen, &behind)).collect();
        Watches { children, seen, behind }
    }

    /// Every watch has told what was there when it began: what comes from now on is news.
    pub fn caught_up(&self) -> bool {
        self.behind.load(Ordering::SeqCst) == 0
    }

    /// The newest resource version seen.
    pub fn now(&self) -> u64 {
        self.seen.lock().unwrap().keys().next_back().copied().unwrap_or_default()
    }

    /// Ends them, and gives what they have brought.
    pub fn end(mut self) -> BTreeMap<u64, (i64, Value)> {
        self.stop();
        self.seen()
    }

    /// What they have brought so far.
    pub fn seen(&self) -> BTreeMap<u64, (i64, Value)> {
        self.seen.lock().unwrap().clone()
    }
}

impl Watches {
    fn stop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.stop();
    }
}

fn watch(kubectl: &Kubectl, path: &str, seen: &Seen, behind: &Arc<AtomicUsize>) -> Child {
    let how = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut command = kubectl.command(&["get", "--raw", &format!("{path}?{how}")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (lines, seen) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(seen));
    let behind = Arc::clone(behind);
    let begin = Instant::now();
    std::thread::spawn(move || {
        let mut initial = true;
        for line in lines.map_while(Result::ok) {
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            if event["type"] == "BOOKMARK" {
                // The first one ends what was there at the start.
                if std::mem::take(&mut initial) {
                    behind.fetch_sub(1, Ordering::SeqCst);
                }
                continue;
            }
            let version = event["object"]["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok());
            if let Some(version) = version {
                let at = if initial { 0 } else { 1 + i64::try_from(begin.elapsed().as_millis()).unwrap() };
                seen.lock().unwrap().insert(version, (at, event));
            }
        }
    });
    child
}
