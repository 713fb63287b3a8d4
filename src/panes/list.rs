//! What every list does alike: a step up or down, a line that narrows it down, and the words when there is nothing.

use ratatui::text::Span;

use super::field::Field;
use crate::command::Command;
use crate::ui::theme::{Look, Role};

/// Where a command leads from `place` in a list of `total`; `None`: it does not move. `page` is asked for only when
/// it matters.
pub fn step(command: Command, place: usize, total: usize, page: impl FnOnce() -> usize) -> Option<usize> {
    let last = total.saturating_sub(1);
    let next = match command {
        Command::Up => place.saturating_sub(1),
        Command::Down => place + 1,
        Command::PageUp => place.saturating_sub(page()),
        Command::PageDown => place + page(),
        Command::First => 0,
        Command::Last => last,
        _ => return None,
    };
    Some(next.min(last))
}

/// Commands that need something to be in the list.
pub fn needs_one(command: Command) -> bool {
    use Command::{Copy, Down, First, Last, Open, PageDown, PageUp, Up};
    matches!(command, Up | Down | PageUp | PageDown | First | Last | Open | Copy)
}

/// The line that narrows a list down.
#[derive(Default)]
pub struct Filter {
    field: Field,
    typing: bool,
}

impl Filter {
    /// Takes the commands that are about the filter. Says whether this was one.
    pub fn on(&mut self, command: Command) -> bool {
        match command {
            Command::Filter => self.typing = true,
            Command::Accept => self.typing = false,
            Command::Cancel | Command::Back => {
                self.typing = false;
                self.field.clear();
            }
            _ => return false,
        }
        true
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        self.field.text()
    }

    /// Everything is shown.
    pub fn is_empty(&self) -> bool {
        self.field.is_empty()
    }

    /// There is something to undo.
    pub fn is_there(&self) -> bool {
        self.typing || !self.is_empty()
    }

    /// It is being typed now.
    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// Where typed text goes to, while it is typed.
    pub fn typing(&mut self) -> Option<&mut Field> {
        self.typing.then_some(&mut self.field)
    }

    /// `filter: orders▏  `, for the end of the footer.
    pub fn words<'a>(&self, look: &Look) -> Option<Span<'a>> {
        let cursor = if self.typing { "▏" } else { "" };
        let words = format!("filter: {}{cursor}  ", self.text());
        self.is_there().then(|| Span::styled(words, look.style(Role::Match)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stay_within_the_list() {
        let go = |command, place, total| step(command, place, total, || 10);
        assert_eq!(go(Command::Up, 0, 5), Some(0));
        assert_eq!(go(Command::Down, 4, 5), Some(4));
        assert_eq!(go(Command::PageDown, 1, 30), Some(11));
        assert_eq!(go(Command::Last, 1, 30), Some(29));
        assert_eq!(go(Command::Down, 0, 0), Some(0));
        assert_eq!(go(Command::Sort, 0, 5), None);
    }

    #[test]
    fn a_filter_is_undone_by_back_and_kept_by_accept() {
        let mut filter = Filter::default();
        assert!(filter.on(Command::Filter) && filter.is_typing());
        filter.typing().map(|f| *f = Field::with("pg")).unwrap();
        assert!(filter.on(Command::Accept) && filter.is_there() && !filter.is_typing());
        assert!(filter.on(Command::Back) && !filter.is_there());
        assert!(!filter.on(Command::Up));
    }
}
