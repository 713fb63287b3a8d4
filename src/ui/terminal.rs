//! The real terminal: entered, drawn on, lent to other programs, and always given back as it was found.
//!
//! The one place (with `chord`) that knows crossterm. Giving back happens on leaving, on drop, before a panic is
//! reported, and before the process stops for Ctrl-Z.

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, Event,
    EventStream, MouseButton, MouseEvent, MouseEventKind,
};
use crossterm::style::{Print, ResetColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{clipboard::CopyToClipboard, execute, queue};
use futures::{Stream, StreamExt};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::chord::Chord;
use super::input::{Input, Mouse, MouseAct};
use crate::problem::Problem;

/// The terminal is ours. Kept for the whole process, because a panic in any thread gives it back.
static OURS: AtomicBool = AtomicBool::new(false);

/// Buttons, wheel and drags, but not every move of the mouse: crossterm's own command asks for those too.
const MOUSE: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
/// More than this is refused: terminals drop long OSC 52 sequences without a word.
const COPY_LIMIT: usize = 70_000;

/// The terminal, while it is ours.
pub struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Screen>>,
    mouse: bool,
}

impl Terminal {
    /// Takes the terminal: raw mode, alternate screen, paste and focus reports, and the mouse where it is wanted.
    ///
    /// # Errors
    /// Input or output is no terminal, or it can't be set.
    pub fn enter(mouse: bool) -> Result<Terminal, Problem> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(Problem::usage("the console needs a terminal")
                .because("input or output is a file or a pipe")
                .try_this("howdah status"));
        }
        take(mouse).map_err(|e| Problem::new("the terminal can't be set up").because(e))?;
        match ratatui::Terminal::new(CrosstermBackend::new(Screen::default())) {
            Ok(inner) => Ok(Terminal { inner, mouse }),
            Err(e) => {
                give_back();
                Err(Problem::new("the terminal can't be set up").because(e))
            }
        }
    }

    /// Its size in columns and rows.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.inner.size().map(|s| (s.width, s.height))
    }

    /// Draws a frame. What `view` returns is where the cursor shows; `None` hides it. Only cells that changed are sent,
    /// and the terminal shows them at once.
    ///
    /// # Errors
    /// The terminal is gone, or was given back because something panicked.
    pub fn draw(&mut self, view: impl FnOnce(Rect, &mut Buffer) -> Option<Position>) -> io::Result<()> {
        if !OURS.load(Ordering::SeqCst) {
            return Err(io::Error::other("it was given back for the report above"));
        }
        queue!(self.inner.backend_mut(), BeginSynchronizedUpdate)?;
        self.inner.draw(|frame| {
            let cursor = view(frame.area(), frame.buffer_mut());
            if let Some(at) = cursor {
                frame.set_cursor_position(at);
            }
        })?;
        execute!(self.inner.backend_mut(), EndSynchronizedUpdate)
    }

    /// Forgets what is on the screen: the next frame is drawn in full.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn redraw(&mut self) -> io::Result<()> {
        // Not ratatui's `clear`: it asks the terminal where the cursor is, and whoever reads the keys gets the answer.
        let (width, height) = self.size()?;
        self.inner.resize(Rect { x: 0, y: 0, width, height })
    }

    /// Puts text into the clipboard of the terminal one sits at, also through ssh (OSC 52).
    ///
    /// # Errors
    /// The text is too long for terminals, or the terminal is gone.
    pub fn copy(&mut self, text: &str) -> Result<(), Problem> {
        if text.len() > COPY_LIMIT {
            return Err(Problem::refused("too much to copy")
                .because(format!("terminals take at most {COPY_LIMIT} bytes, this has {}", text.len())));
        }
        execute!(self.inner.backend_mut(), CopyToClipboard::to_clipboard_from(text))
            .map_err(|e| Problem::new("nothing was copied").because(e))
    }

    /// Rings.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn bell(&mut self) -> io::Result<()> {
        execute!(self.inner.backend_mut(), Print('\x07'))
    }

    /// Stops the process group as Ctrl-Z does, and takes the terminal again when the shell continues it. The whole group,
    /// because whoever started howdah (`make`, a script) must stop too for the shell to come back.
    ///
    /// # Errors
    /// The terminal can't be taken again.
    pub fn suspend(&mut self, inputs: &mut Inputs) -> io::Result<()> {
        inputs.pause();
        give_back();
        let stopped = kill(Pid::from_raw(0), Signal::SIGTSTP).map_err(io::Error::from);
        // The shell continued us here.
        self.take_again(inputs)?;
        stopped
    }

    /// Lends the terminal to another program (`psql`, a pager, an editor) and takes it again when it ends.
    ///
    /// The program stays in our process group, so Ctrl-Z stops both and `fg` continues both. Ctrl-C reaches us too: it
    /// is heard and dropped here; a loop that listens to SIGINT itself has to drop those that came meanwhile.
    ///
    /// # Errors
    /// The program can't be started, or the terminal can't be taken again.
    pub async fn lend(&mut self, inputs: &mut Inputs, program: &mut tokio::process::Command) -> io::Result<ExitStatus> {
        inputs.pause();
        give_back();
        // While somebody listens to SIGINT, its default action (our end) is off.
        let _deaf = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let ended = program.status().await;
        self.take_again(inputs)?;
        ended
    }

    fn take_again(&mut self, inputs: &mut Inputs) -> io::Result<()> {
        take(self.mouse)?;
        inputs.resume();
        self.redraw()
    }

    /// Gives the terminal back.
    pub fn leave(self) {
        drop(self);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// A frame on its way: sent in one piece, and only while the terminal is ours. Half a frame that a panic left behind
/// never reaches the shell's screen.
#[derive(Default)]
struct Screen {
    frame: Vec<u8>,
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.frame);
        if !OURS.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(&frame)?;
        out.flush()?;
        // Its room is used again.
        self.frame = frame;
        self.frame.clear();
        Ok(())
    }
}

fn take(mouse: bool) -> io::Result<()> {
    OURS.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    let taken = enable_raw_mode().and_then(|()| {
        let rest = (EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, DisableLineWrap, Hide);
        execute!(out, rest.0, rest.1, rest.2, rest.3, rest.4)?;
        if mouse { execute!(out, Print(MOUSE)) } else { Ok(()) }
    });
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Gives the terminal back as it was found. Does nothing when it isn't ours; safe in a panic and more than once.
pub fn give_back() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // Each on its own: what fails must not keep the next from being tried.
    let _ = execute!(out, EndSynchronizedUpdate, DisableMouseCapture, DisableBracketedPaste, DisableFocusChange);
    let _ = execute!(out, EnableLineWrap, ResetColor, LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

/// Installs reports of errors and panics. A panic in any thread gives the terminal back first, so that its report can
/// be read.
///
/// # Errors
/// Hooks are installed already.
pub fn install_hooks() -> color_eyre::Result<()> {
    let (report, errors) = color_eyre::config::HookBuilder::default()
        .panic_section("howdah changed nothing in the cluster by ending. Please report this with the lines above.")
        .display_env_section(false)
        .into_hooks();
    errors.install()?;
    let report = report.into_panic_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        report(info);
    }));
    Ok(())
}

/// What the terminal tells, as a stream of [`Input`].
#[derive(Default)]
pub struct Inputs {
    stream: Option<EventStream>,
}

impl Inputs {
    /// Starts listening.
    pub fn listen() -> Inputs {
        Inputs { stream: Some(EventStream::new()) }
    }

    /// Stops reading the terminal: somebody else will. The stream is pending until [`Inputs::resume`].
    pub fn pause(&mut self) {
        self.stream = None;
    }

    /// Reads again.
    pub fn resume(&mut self) {
        self.stream = Some(EventStream::new());
    }
}

impl Stream for Inputs {
    type Item = io::Result<Input>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Input>>> {
        loop {
            let Some(stream) = self.stream.as_mut() else { return Poll::Pending };
            match stream.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(event))) => match input_of(event) {
                    Some(input) => return Poll::Ready(Some(Ok(input))),
                    None => continue,
                },
                Poll::Ready(Some(Err(e))) => return Poll::Ready(Some(Err(e))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// A terminal's event as an input; `None` for what means nothing here.
fn input_of(event: Event) -> Option<Input> {
    Some(match event {
        Event::Key(key) => Input::Key(Chord::from_crossterm(&key)?),
        Event::Mouse(mouse) => Input::Mouse(mouse_of(mouse)?),
        Event::Paste(text) => Input::Paste(text),
        Event::Resize(w, h) => Input::Resize(w, h),
        Event::FocusGained => Input::Focus(true),
        Event::FocusLost => Input::Focus(false),
    })
}

fn mouse_of(event: MouseEvent) -> Option<Mouse> {
    let act = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => MouseAct::Press,
        MouseEventKind::Up(MouseButton::Left) => MouseAct::Release,
        MouseEventKind::Drag(MouseButton::Left) => MouseAct::Drag,
        MouseEventKind::Down(MouseButton::Right) => MouseAct::Menu,
        MouseEventKind::ScrollUp => MouseAct::WheelUp,
        MouseEventKind::ScrollDown => MouseAct::WheelDown,
        _ => return None,
    };
    Some(Mouse { act, x: event.column, y: event.row })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    #[test]
    fn events_become_inputs() {
        let key = KeyEvent::new(KeyCode::Char('k'), KeyModifiers::CONTROL);
        assert_eq!(input_of(Event::Key(key)), Some(Input::Key(Chord::ctrl('k'))));
        assert_eq!(input_of(Event::Resize(80, 24)), Some(Input::Resize(80, 24)));
        let mouse = |kind| MouseEvent { kind, column: 3, row: 4, modifiers: KeyModifiers::NONE };
        let wheel = Mouse { act: MouseAct::WheelUp, x: 3, y: 4 };
        assert_eq!(input_of(Event::Mouse(mouse(MouseEventKind::ScrollUp))), Some(Input::Mouse(wheel)));
        assert_eq!(input_of(Event::Mouse(mouse(MouseEventKind::Moved))), None);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        assert!(!OURS.load(Ordering::SeqCst));
        give_back();
        let mut screen = Screen::default();
        screen.write_all(b"half a frame").unwrap();
        screen.flush().unwrap();
        assert!(screen.frame.is_empty());
    }
}
