//! Asking: by flags, or by a person at a terminal.

use std::io::{BufRead, IsTerminal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::told::tell;
use super::{Following, guarded};
use crate::cli::args::Global;
use crate::problem::Problem;
use crate::procedure::{Choice, Decision, Gate, Plan, Question, What};

/// Answers for a person: by the flags they gave, or by asking them.
pub struct Asker {
    yes: bool,
    confirm: Option<String>,
    because: Option<String>,
    /// Somebody is there to be asked.
    pub terminal: bool,
    lines: Option<UnboundedReceiver<String>>,
}

/// Somebody reads what is asked and can type an answer.
fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Every gate of the plan can be passed: by a flag, or because somebody is there to be asked.
///
/// # Errors
/// What has to be said on the command line (exit 3).
pub fn can_be_answered(global: &Global, flags: &Following, plan: &Plan) -> Result<(), Problem> {
    let refused = |because: String, try_this: &str| {
        Err(Problem::refused(format!("not confirmed: {}", plan.title)).because(because).try_this(try_this))
    };
    let gates: Vec<_> = plan.steps.iter().filter(|s| !s.cleanup).map(|s| (&s.title, &s.gate)).collect();
    let names = gates.iter().filter_map(|(_, gate)| match gate {
        Gate::TypeName(name) => Some(name),
        _ => None,
    });
    if let (Some(said), Some(name)) = (&flags.confirm, names.into_iter().find(|n| Some(*n) != flags.confirm.as_ref())) {
        return refused(
            format!("--confirm says {said}, and the name asked for is {name}"),
            &format!("--confirm {name}"),
        );
    }
    if somebody() {
        return Ok(());
    }
    for (title, gate) in gates {
        match gate {
            Gate::Approve if !global.yes => return refused(format!("nobody is there to approve: {title}"), "--yes"),
            Gate::TypeName(name) if flags.confirm.is_none() => {
                let why = format!("nobody is there to type the name: {title}");
                return refused(why, &format!("--confirm {name}"));
            }
            Gate::ByHand(_) => {
                let why = format!("nobody is there to do by hand: {title}");
                return refused(why, "run it at a terminal");
            }
            _ => {}
        }
    }
    if plan.changes_cluster() && !guarded(plan) && !global.yes {
        return refused("nobody is there to approve".into(), "--yes");
    }
    Ok(())
}

impl Asker {
    /// Answers by these flags.
    pub fn new(global: &Global, flags: &Following) -> Asker {
        Asker {
            yes: global.yes,
            confirm: flags.confirm.clone(),
            because: flags.because.clone(),
            terminal: somebody(),
            lines: None,
        }
    }

    /// Asks once before a plan that changes something and asks nowhere itself.
    ///
    /// # Errors
    /// Nobody is there.
    pub async fn begin(&mut self, plan: &Plan) -> Result<bool, Problem> {
        if self.yes || guarded(plan) || !plan.changes_cluster() {
            return Ok(true);
        }
        tell(&format!("{}? [y/N] ", capital(&plan.title)));
        Ok(self.line().await.is_some_and(|line| yes(&line)))
    }

    /// What the flags say to a question.
    pub fn by_flag(&self, question: &Question) -> Option<What> {
        let how = match (&question.gate, &self.confirm) {
            (Some(Gate::Approve), _) if self.yes => "--yes".to_owned(),
            (Some(Gate::TypeName(name)), Some(said)) if name == said => format!("--confirm {said}"),
            _ => return None,
        };
        Some(question.answer(Choice::Grant, Some(how)))
    }

    /// Shows a question.
    pub fn show(&self, question: &Question) {
        let mut text = format!("\n{}\n", question.why);
        match &question.gate {
            Some(Gate::TypeName(name)) => text.push_str(&format!("type {name} to go on, anything else to leave: ")),
            Some(Gate::ByHand(_)) => text.push_str("done? [y: it is done / s: go on without it / l: leave] "),
            Some(_) => text.push_str("go on? [y/N] "),
            None => {
                for choice in &question.choices {
                    text.push_str(&format!("  {}  {}\n", choice.letter(), choice.words()));
                }
                text.push_str("? ");
            }
        }
        tell(&text);
    }

    /// What a typed line says to a question; `None`: it can't be understood.
    pub fn understand(&self, question: &Question, line: &str) -> Option<What> {
        let line = line.trim();
        let leave = || question.answer(Choice::Decide(Decision::Leave), Some(format!("said {line:?}")));
        match &question.gate {
            Some(Gate::TypeName(name)) if line == name => {
                Some(question.answer(Choice::Grant, Some(format!("typed {name}"))))
            }
            Some(Gate::TypeName(_)) => Some(leave()),
            Some(Gate::ByHand(_)) if yes(line) => Some(question.answer(Choice::Grant, Some("done by hand".into()))),
            Some(Gate::Approve | Gate::None) if yes(line) => Some(question.answer(Choice::Grant, Some("yes".into()))),
            Some(Gate::Approve | Gate::None) => Some(leave()),
            _ => {
                let choice = question.choices.iter().find(|c| line.len() == 1 && line.starts_with(c.letter()))?;
                Some(question.answer(*choice, self.because.clone()))
            }
        }
    }

    /// The next line that is typed; `None`: there is nobody any more. Cancel-safe.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.get_or_insert_with(typed).recv().await
    }
}

/// Lines as they are typed. A thread of its own: a terminal can't be read and left again otherwise.
pub fn typed() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + chars.as_str())
}
