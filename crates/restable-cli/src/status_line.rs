//! The line that tells how far a statement is, at the bottom of a terminal. Owns its text and the order on the screen: it is taken away before
//! anything else is written there, and comes back only where a line begins. Without a terminal there is none.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use restable_engine::acting::Progress;
use unicode_width::UnicodeWidthChar as _;

use crate::output::value::printable;

/// How often the line is drawn anew, at most.
const PACE: Duration = Duration::from_millis(100);
/// How often its time is to be brought up to date.
pub const TICK: Duration = Duration::from_millis(250);
/// Back to the beginning of the line, and nothing on it.
const ERASE: &str = "\r\u{1b}[2K";

/// The line. A clone is the same one.
#[derive(Clone)]
pub struct StatusLine(Arc<Mutex<Line>>);

struct Line {
    /// Where it is drawn, if anywhere.
    screen: Option<Box<dyn Write + Send>>,
    width: fn() -> usize,
    /// What was told last, and when.
    told: Option<(Progress, Instant)>,
    /// Whether a statement runs that may tell something.
    open: bool,
    drawn: Option<Instant>,
    shown: bool,
    /// Whether what was written last ended its line.
    at_start: bool,
}

impl StatusLine {
    /// One that is never seen.
    pub fn nowhere() -> StatusLine {
        StatusLine::over(None, || 0)
    }

    /// On stderr, if that is a terminal.
    pub fn on_stderr(width: fn() -> usize) -> StatusLine {
        let stderr = io::stderr();
        let screen: Option<Box<dyn Write + Send>> = if stderr.is_terminal() {
            Some(Box::new(stderr))
        } else {
            None
        };
        StatusLine::over(screen, width)
    }

    fn over(screen: Option<Box<dyn Write + Send>>, width: fn() -> usize) -> StatusLine {
        StatusLine(Arc::new(Mutex::new(Line {
            screen,
            width,
            told: None,
            open: false,
            drawn: None,
            shown: false,
            at_start: true,
        })))
    }

    /// Whether it can be seen.
    pub fn is_visible(&self) -> bool {
        self.line().screen.is_some()
    }

    /// A statement begins that may tell how far it is.
    pub fn begin(&self) {
        let mut line = self.line();
        line.told = None;
        line.drawn = None;
        line.open = true;
    }

    /// It has ended: what is told from now on is too late.
    pub fn end(&self) {
        let mut line = self.line();
        line.open = false;
        line.erase();
    }

    /// Takes note of how far it is.
    pub fn tell(&self, progress: &Progress) {
        let mut line = self.line();
        line.told = Some((progress.clone(), Instant::now()));
        line.draw();
    }

    /// Time has passed.
    pub fn tick(&self) {
        self.line().draw();
    }

    /// The cursor is at the beginning of a line, since a person pressed Enter.
    pub fn entered(&self) {
        self.line().at_start = true;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn draw(&mut self) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PACE);
        if !self.open || !self.at_start || !due {
            return;
        }
        let (Some((progress, at)), Some(screen)) = (&self.told, &mut self.screen) else {
            return;
        };
        let text = text(progress, at.elapsed());
        // The last column stays free: a full line would wrap, and only half of it would be taken away.
        let text = cut(&text, (self.width)().saturating_sub(1));
        // Who cannot be shown it misses nothing else.
        let _ = write!(screen, "{ERASE}{text}").and_then(|()| screen.flush());
        self.drawn = Some(Instant::now());
        self.shown = true;
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.shown)
            && let Some(screen) = &mut self.screen
        {
            let _ = write!(screen, "{ERASE}").and_then(|()| screen.flush());
        }
    }
}

/// `17 of 500 · 1 failed · 12 s · disk-7 Inprogress 40 %`. What matters least comes last, where the screen may end.
fn text(progress: &Progress, since: Duration) -> String {
    let mut parts = Vec::new();
    if progress.total != 1 {
        parts.push(format!("{} of {}", progress.done, progress.total));
    }
    if progress.failed > 0 {
        parts.push(format!("{} failed", progress.failed));
    }
    parts.push(elapsed(progress.elapsed + since));
    let percent = progress.percent.map(|percent| format!("{percent:.0} %"));
    let words = [
        Some(printable(&progress.target).into_owned()),
        Some(printable(&progress.status).into_owned()),
        percent,
    ];
    let words: Vec<String> = words
        .into_iter()
        .flatten()
        .filter(|word| !word.is_empty())
        .collect();
    if !words.is_empty() {
        parts.push(words.join(" "));
    }
    parts.join(" · ")
}

fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// The beginning of a text that fits.
fn cut(text: &str, width: usize) -> String {
    let mut room = width;
    let mut out = String::new();
    for character in text.chars() {
        let Some(left) = room.checked_sub(character.width().unwrap_or(0)) else {
            break;
        };
        room = left;
        out.push(character);
    }
    out
}

/// A writer to the same screen.
pub struct Above<W> {
    line: StatusLine,
    inner: W,
}

impl<W: Write> Above<W> {
    /// `inner`, with the line out of its way.
    pub fn new(line: &StatusLine, inner: W) -> Above<W> {
        Above {
            line: line.clone(),
            inner,
        }
    }
}

impl<W: Write> Write for Above<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut line = self.line.line();
        line.erase();
        let written = self.inner.write(bytes)?;
        if let Some(last) = bytes[..written.min(bytes.len())].last() {
            line.at_start = *last == b'\n';
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        /// What was written since the last look.
        fn new_text(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    fn progress(done: usize, total: usize, status: &str) -> Progress {
        Progress {
            total,
            done,
            failed: 0,
            target: "disk-7".to_owned(),
            status: status.to_owned(),
            percent: None,
            elapsed: Duration::from_secs(12),
        }
    }

    fn scene(width: fn() -> usize) -> (Screen, StatusLine) {
        let screen = Screen::default();
        let line = StatusLine::over(Some(Box::new(screen.clone())), width);
        (screen, line)
    }

    #[test]
    fn texts() {
        let one = progress(0, 1, "Inprogress");
        assert_eq!(text(&one, Duration::ZERO), "12 s · disk-7 Inprogress");
        let many = Progress {
            failed: 2,
            percent: Some(40.4),
            target: "a\u{1b}[31m".to_owned(),
            ..progress(17, 500, "Inprogress")
        };
        assert_eq!(
            text(&many, Duration::from_secs(60)),
            "17 of 500 · 2 failed · 1 min 12 s · a\\u{1b}[31m Inprogress 40 %"
        );
        assert_eq!(elapsed(Duration::from_secs(7_384)), "2 h 03 min");
        assert_eq!(cut("日本語", 5), "日本");
    }

    #[test]
    fn it_goes_away_before_anything_else_is_written() {
        let (screen, line) = scene(|| 80);
        line.begin();
        line.tell(&progress(0, 1, "Inprogress"));
        assert_eq!(
            screen.new_text(),
            format!("{ERASE}12 s · disk-7 Inprogress")
        );
        let mut talk = Above::new(&line, screen.clone());
        writeln!(talk, "notice").unwrap();
        assert_eq!(screen.new_text(), format!("{ERASE}notice\n"));
        // In the middle of a line of somebody else it is not drawn.
        write!(talk, "half").unwrap();
        line.line().drawn = None;
        line.tell(&progress(0, 1, "Succeeded"));
        assert_eq!(screen.new_text(), "half");
        writeln!(talk).unwrap();
        line.tick();
        assert_eq!(
            screen.new_text(),
            format!("\n{ERASE}12 s · disk-7 Succeeded")
        );
        line.end();
        assert_eq!(screen.new_text(), ERASE);
        line.tell(&progress(1, 1, "late"));
        assert_eq!(screen.new_text(), "");
    }

    #[test]
    fn it_fits_and_keeps_its_pace() {
        let (screen, line) = scene(|| 12);
        line.begin();
        for _ in 0..1000 {
            line.tell(&progress(3, 500, "Inprogress"));
        }
        let text = screen.new_text();
        assert!(text.starts_with(&format!("{ERASE}3 of 500 · ")), "{text:?}");
        assert!(text.matches(ERASE).count() < 500, "{text:?}");
        assert!(
            text.split(ERASE).all(|line| line.chars().count() <= 11),
            "{text:?}"
        );
        assert!(!StatusLine::nowhere().is_visible());
    }
}
