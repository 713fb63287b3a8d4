//! A real pseudo-terminal with a screen that can be read, for tests of the binary as a person meets it.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long anything on a screen may take. Generous: it bounds a failure, it times nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// howdah in a terminal.
pub struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    pub child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// Every byte the program wrote.
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts `program` with `args` in a terminal of that size.
    pub fn start(program: &str, args: &[&str], (columns, rows): (u16, u16), env: &[(&str, &str)]) -> Terminal {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env_remove("NO_COLOR");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(some(rows), some(columns), 0)));
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (into_screen, into_written) = (screen.clone(), written.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 65536];
            while let Ok(n) = reader.read(&mut bytes) {
                if n == 0 {
                    break;
                }
                into_written.lock().unwrap().extend_from_slice(&bytes[..n]);
                into_screen.lock().unwrap().process(&bytes[..n]);
            }
        });
        let keyboard = pair.master.take_writer().expect("a writer");
        Terminal { master: pair.master, keyboard, child, screen, written }
    }

    /// What a person sees now.
    pub fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    /// The screen buffer a full-screen program draws on is shown.
    pub fn full_screen(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// The cursor is hidden.
    pub fn cursor_hidden(&self) -> bool {
        self.screen.lock().unwrap().screen().hide_cursor()
    }

    /// The mouse is reported to the program.
    pub fn mouse_captured(&self) -> bool {
        self.screen.lock().unwrap().screen().mouse_protocol_mode() != vt100::MouseProtocolMode::None
    }

    /// Everything written so far, as text.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Types these bytes.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Changes the terminal's size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.lock().unwrap().screen_mut().set_size(some(rows), some(columns));
        self.master.resize(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Waits until the screen holds `text`.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} on the screen"), |screen| screen.contains(text));
    }

    /// Waits until the screen satisfies `condition`.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        super::until(what, PATIENCE, || condition(&self.text()).then_some(()), || self.text());
    }

    /// Waits until the program has ended.
    pub fn wait_end(&mut self) -> ExitStatus {
        let (child, screen) = (&mut self.child, &self.screen);
        let picture = || screen.lock().unwrap().screen().contents();
        super::until("the program ends", PATIENCE, || child.try_wait().unwrap(), picture)
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = self.child.process_id().expect("a running program");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), signal).unwrap();
    }

    /// The terminal is as it was before: normal screen, cursor shown, mouse not captured.
    pub fn assert_restored(&self) {
        super::until(
            "the terminal is restored",
            PATIENCE,
            || (!self.full_screen() && !self.cursor_hidden() && !self.mouse_captured()).then_some(()),
            || self.text(),
        );
    }
}

fn some(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has rows and columns")
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
