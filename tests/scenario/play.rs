//! A console that is played with: messages in, pictures out.

use howdah::app::{Effect, Model, Msg, Setup, Taste, update, view};
use howdah::domain::detail::News;
use howdah::domain::facts::Fact;
use howdah::panes::Choice;
use howdah::ui::chord::parse_keys;
use howdah::ui::{Depth, Input, screenshot};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// A console in a test.
pub struct Play {
    pub model: Model,
    pub size: (u16, u16),
    /// Everything the outside was asked for.
    pub effects: Vec<Effect>,
    /// Everything that happened, for replays.
    pub messages: Vec<Msg>,
    pub setup: Setup,
}

pub fn setup(size: (u16, u16), theme: &str, depth: Depth) -> Setup {
    Setup {
        depth,
        zone: TimeZone::UTC,
        now: super::ago(601),
        size,
        taste: Taste { theme: theme.into(), utc: true, ..Taste::default() },
        place: super::CONTEXT.into(),
        choice: Choice::default(),
    }
}

impl Play {
    /// A console of this size in the default theme that knows nothing.
    pub fn empty(size: (u16, u16)) -> Play {
        Play::with(setup(size, "default", Depth::True))
    }

    pub fn with(setup: Setup) -> Play {
        let size = setup.size;
        Play { model: Model::new(setup.clone()), size, effects: vec![], messages: vec![], setup }
    }

    /// A console that has seen the hand-made world, with a history.
    pub fn fresh(size: (u16, u16)) -> Play {
        Play::seeing(setup(size, "default", Depth::True))
    }

    pub fn seeing(setup: Setup) -> Play {
        let mut play = Play::with(setup);
        play.learn();
        play
    }

    /// The world, its past first.
    pub fn learn(&mut self) {
        self.send(Msg::Facts(super::fresh().into_iter().filter(|f| !matches!(f, Fact::Sql(..))).collect()));
        self.send(Msg::News(super::happenings().into_iter().map(News::Happening).collect()));
        for (at, facts) in super::past() {
            self.send(Msg::Clock(at));
            self.send(Msg::Facts(facts));
        }
        self.send(Msg::Facts(super::fresh()));
        self.send(Msg::Clock(super::now()));
    }

    pub fn send(&mut self, msg: Msg) -> &mut Play {
        self.messages.push(msg.clone());
        self.effects.extend(update(&mut self.model, msg));
        self
    }

    /// Presses keys as keymaps write them: `"j j enter"`.
    pub fn keys(&mut self, keys: &str) -> &mut Play {
        for key in keys.split_whitespace() {
            for chord in parse_keys(key).unwrap() {
                self.send(Msg::Input(Input::Key(chord)));
            }
        }
        self
    }

    /// Types a text.
    pub fn types(&mut self, text: &str) -> &mut Play {
        for c in text.chars() {
            self.send(Msg::Input(Input::Key(howdah::ui::Chord::char(c))));
        }
        self
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        let now = self.messages.iter().rev().find_map(|m| match m {
            Msg::Clock(at) => Some(*at),
            _ => None,
        });
        now.unwrap_or_else(super::now)
    }

    /// Time goes on by this many seconds.
    pub fn wait(&mut self, seconds: i64) -> &mut Play {
        let now = self.now();
        self.send(Msg::Clock(now + SignedDuration::from_secs(seconds - 1)));
        self.send(Msg::Clock(now + SignedDuration::from_secs(seconds)))
    }

    pub fn buffer(&self) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, self.size.0, self.size.1));
        view(&self.model, &mut buf);
        buf
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        screenshot::text(&self.buffer())
    }

    /// The screen as text and style letters.
    pub fn picture(&self) -> String {
        screenshot::styled(&self.buffer())
    }
}
