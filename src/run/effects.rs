//! Effects: the few things only the outside can do, each performed and its outcome told as a message.

use std::path::PathBuf;

use super::Console;
use crate::adapters::live::Child;
use crate::app::{Done, Effect, Msg};
use crate::problem::Problem;

impl Console {
    /// Performs one effect. What fails becomes a message; only a terminal that is gone ends the console.
    pub(super) async fn perform(&mut self, effect: Effect) -> std::io::Result<()> {
        match effect {
            // The loop ends by itself: the model is leaving.
            Effect::Quit => {}
            Effect::Suspend => {
                self.terminal.suspend(&mut self.inputs)?;
                self.resized()?;
                self.tell(Msg::Done(Done::Resumed));
            }
            Effect::Redraw => self.terminal.redraw()?,
            Effect::Copy(text) => match self.terminal.copy(&text) {
                Ok(()) => self.tell(Msg::Done(Done::Copied)),
                Err(problem) => self.tell(Msg::Problem(problem)),
            },
            Effect::Bell => self.terminal.bell()?,
            Effect::Psql { cluster, instance, read_only } => {
                // Reading the login may take seconds: keys and frames don't wait for it.
                self.preparing.spawn(self.adapters.psql(&cluster, &instance, read_only));
            }
            Effect::Watch(subject) => self.adapters.watch_detail(subject),
            Effect::Unwatch(subject) => self.adapters.unwatch(&subject),
            Effect::Focus(clusters) => self.adapters.focus(clusters),
            Effect::Export { text, name } => self.export(text, name),
            Effect::Run(effect) => self.runs.perform(effect),
            Effect::Fault(cluster, order) => {
                let trail = self.runs.trail();
                let (asked, done) = (self.adapters.fault(&cluster, order, trail), self.done.clone());
                tokio::spawn(async move {
                    // That it stands or is gone is seen on the screen; only what went wrong is told.
                    if let Err(problem) = asked.await {
                        let _ = done.send(Msg::Problem(problem));
                    }
                });
            }
            Effect::RetrySource(source) => self.adapters.retry(source),
            Effect::ReloadSettings => {
                let taste = (self.reload)();
                self.tell(Msg::Reloaded(Box::new(taste)));
            }
        }
        Ok(())
    }

    fn tell(&self, msg: Msg) {
        // The receiver lives as long as the loop.
        let _ = self.done.send(msg);
    }

    /// The terminal may have another size after it was lent.
    fn resized(&mut self) -> std::io::Result<()> {
        let (columns, rows) = self.terminal.size()?;
        self.tell(Msg::Input(crate::ui::Input::Resize(columns, rows)));
        Ok(())
    }

    /// Lends the terminal to `psql` whose tunnel is there; what kept it from being made is told on our own screen.
    pub(super) async fn psql(&mut self, prepared: Result<Child, Problem>) -> std::io::Result<()> {
        let child = match prepared {
            Ok(child) => child,
            Err(problem) => {
                self.tell(Msg::Done(Done::Psql(Some(problem))));
                return Ok(());
            }
        };
        let mut program = tokio::process::Command::new(&child.program);
        program.kill_on_drop(true).args(&child.args).envs(child.env.iter().map(|(name, value)| (name, value)));
        let ended = self.terminal.lend(&mut self.inputs, &mut program).await;
        self.resized()?;
        let problem = match ended {
            Ok(status) if status.success() => None,
            Ok(status) => Some(Problem::new(format!("{} ended", child.title)).because(status)),
            Err(e) => Some(
                Problem::new(format!("{} can't be started", child.program))
                    .because(e)
                    .try_this("install PostgreSQL's client programs"),
            ),
        };
        self.tell(Msg::Done(Done::Psql(problem)));
        Ok(())
    }

    /// Writes a file beside the loop: a slow disk holds up nothing.
    fn export(&self, text: String, name: String) {
        let (done, folder) = (self.done.clone(), self.exports.clone());
        tokio::task::spawn_blocking(move || {
            let told = match write_new(folder, &name, &text) {
                Ok(path) => Msg::Done(Done::Exported(path.display().to_string())),
                Err(e) => Msg::Problem(Problem::new(format!("{name} was not written")).because(e)),
            };
            let _ = done.send(told);
        });
    }
}

/// Writes a new file of about this name, never over an existing one.
fn write_new(folder: PathBuf, name: &str, text: &str) -> std::io::Result<PathBuf> {
    use std::io::Write;
    std::fs::create_dir_all(&folder)?;
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "csv"));
    let mut n = 1;
    loop {
        let name = if n == 1 { format!("{stem}.{extension}") } else { format!("{stem}-{n}.{extension}") };
        let path = folder.join(name);
        match std::fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                return Ok(path);
            }
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let first = write_new(dir.path().into(), "lag.csv", "a").unwrap();
        let second = write_new(dir.path().into(), "lag.csv", "b").unwrap();
        assert_eq!(
            (first.file_name().unwrap().to_str(), second.file_name().unwrap().to_str()),
            (Some("lag.csv"), Some("lag-2.csv"))
        );
        assert_eq!(std::fs::read_to_string(first).unwrap(), "a");
    }
}
