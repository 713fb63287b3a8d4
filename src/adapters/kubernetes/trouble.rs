//! What went wrong on the way to the Kubernetes API, sorted by what can be done about it.

use std::error::Error as StdError;

use crate::problem::Problem;
use crate::text::{clean, shorten};

/// A failure, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: TroubleKind,
    /// In words, cleaned and cut.
    pub why: String,
}

/// Kinds of failure that are answered differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// 401: the credentials are missing, wrong or expired. New ones may help.
    Unauthorized,
    /// 403: this user may not.
    Forbidden,
    /// 404: the API, the kind or the object does not exist.
    Missing,
    /// 410: the resource version is too old. Listing again helps.
    Expired,
    /// The credential plugin failed.
    Plugin,
    /// The server's certificate is not signed by whom the kubeconfig trusts.
    Certificate,
    /// Nothing listens at that address.
    Refused,
    /// The server's name is not known.
    NoSuchName,
    /// No route, reset, a server that can't answer for another.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// Anything else.
    Other,
}

/// Longest reason that is kept: the API quotes whole objects in some errors.
const LONGEST: usize = 300;

impl Trouble {
    /// A trouble of this kind.
    pub fn new(kind: TroubleKind, why: impl AsRef<str>) -> Self {
        Trouble { kind, why: shorten(clean(why.as_ref()).trim(), LONGEST) }
    }

    /// No answer within a time.
    pub fn timed_out(seconds: f64) -> Self {
        Trouble::new(TroubleKind::TimedOut, format!("no answer within {seconds:.0} s"))
    }

    /// The problem it makes, given what was being done, such as `can't reach context aks`.
    pub fn problem(&self, what: &str) -> Problem {
        let problem = Problem::new(what).because(&self.why);
        match self.kind {
            TroubleKind::Unauthorized => problem.try_this("log in again (az login, aws sso login), or get new credentials"),
            TroubleKind::Forbidden => problem.try_this("ask for the right, or choose a namespace that is yours with -n"),
            TroubleKind::Plugin => problem.try_this("run the credential plugin by hand, or log in again"),
            TroubleKind::Certificate => problem.try_this(
                "get the kubeconfig anew: certificate-authority-data is not of this server, or a proxy stands in between",
            ),
            TroubleKind::Refused => problem.try_this(
                "nothing listens there: is the server stopped, or its port another one now? kubectl config view --minify shows the address",
            ),
            TroubleKind::NoSuchName => problem.try_this(
                "is the server's name right (kubectl config view --minify), does it still exist, is the VPN up that knows it?",
            ),
            TroubleKind::TimedOut => {
                problem.try_this("is a VPN, a proxy (HTTPS_PROXY) or an allowed address range needed to get there?")
            }
            TroubleKind::Unreachable => problem.try_this("is the network up, and a VPN or a proxy needed to get there?"),
            TroubleKind::Missing | TroubleKind::Expired | TroubleKind::Other => problem,
        }
    }

    /// The way there leads nowhere, whatever is at its end: trying again may help.
    pub fn is_way(&self) -> bool {
        use TroubleKind::{NoSuchName, Refused, TimedOut, Unreachable};
        matches!(self.kind, Refused | NoSuchName | Unreachable | TimedOut)
    }

    /// The same, told of a way that leads through `proxy`: what fails there is the proxy as likely as the server.
    pub fn problem_through(&self, what: &str, proxy: Option<&str>) -> Problem {
        let problem = self.problem(what);
        match proxy.filter(|_| self.is_way()) {
            Some(proxy) => Problem { what: format!("{what} through the proxy {}", clean(proxy)), ..problem }.try_this(
                "does the proxy run and let this through? HTTPS_PROXY or the kubeconfig's proxy-url name it, NO_PROXY goes around it",
            ),
            None => problem,
        }
    }
}

impl From<&kube::Error> for Trouble {
    fn from(error: &kube::Error) -> Self {
        use kube::Error as E;
        match error {
            E::Api(status) => Trouble::of_status(status.code, &status.message),
            E::Auth(auth) => Trouble::new(TroubleKind::Plugin, plugin(auth)),
            other => Trouble::of_chain(other),
        }
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        Trouble::from(&error)
    }
}

impl Trouble {
    /// From an answer's HTTP status and its message.
    pub fn of_status(code: u16, message: &str) -> Self {
        let kind = match code {
            401 => TroubleKind::Unauthorized,
            403 => TroubleKind::Forbidden,
            404 => TroubleKind::Missing,
            410 => TroubleKind::Expired,
            408 | 504 => TroubleKind::TimedOut,
            502 | 503 => TroubleKind::Unreachable,
            _ => TroubleKind::Other,
        };
        match message.trim() {
            "" => Trouble::new(kind, format!("the server answered with HTTP {code}")),
            text => Trouble::new(kind, text),
        }
    }

    /// From an error and what caused it: the last cause says it best, the kind is found anywhere in between.
    fn of_chain(error: &(dyn StdError + 'static)) -> Self {
        let mut kind = TroubleKind::Other;
        let mut why = error.to_string();
        let mut next = Some(error);
        while let Some(e) = next {
            let text = e.to_string();
            if let Some(auth) = e.downcast_ref::<kube::client::AuthError>() {
                return Trouble::new(TroubleKind::Plugin, plugin(auth));
            }
            if kind == TroubleKind::Other {
                kind = of_text(&text, e.downcast_ref::<std::io::Error>());
            }
            if !text.is_empty() && !why.contains(&text) {
                why = if text.starts_with("invalid peer certificate") || kind != TroubleKind::Other {
                    text
                } else {
                    format!("{why}: {text}")
                };
            }
            next = e.source();
        }
        Trouble::new(kind, why)
    }
}

fn of_text(text: &str, io: Option<&std::io::Error>) -> TroubleKind {
    use std::io::ErrorKind as K;
    if text.contains("invalid peer certificate") {
        return TroubleKind::Certificate;
    }
    match io.map(std::io::Error::kind) {
        Some(K::TimedOut) => return TroubleKind::TimedOut,
        Some(K::ConnectionRefused) => return TroubleKind::Refused,
        Some(
            K::ConnectionReset
            | K::ConnectionAborted
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::AddrNotAvailable
            | K::BrokenPipe
            | K::UnexpectedEof,
        ) => return TroubleKind::Unreachable,
        _ => {}
    }
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if says(&["dns error", "failed to lookup"]) {
        TroubleKind::NoSuchName
    } else if says(&["connection refused"]) {
        TroubleKind::Refused
    } else if says(&["connection reset", "connection closed", "tunnel error"]) {
        TroubleKind::Unreachable
    } else if text.contains("timed out") || text.contains("deadline has elapsed") {
        TroubleKind::TimedOut
    } else {
        TroubleKind::Other
    }
}

/// What a credential plugin said, without its arguments (they may hold secrets) and without its standard output (it may
/// hold a token).
fn plugin(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError as A;
    match error {
        A::AuthExecRun { cmd, out } => {
            let program = cmd.split_whitespace().next().unwrap_or("it").trim_matches('"');
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("it said nothing");
            format!("the credential plugin {program} failed: {said}")
        }
        A::AuthExecStart(e) => format!("the credential plugin could not be started: {e}"),
        A::AuthExecParse(_) | A::ExecPluginFailed => {
            "the credential plugin gave no credentials that can be read".into()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_sorted() {
        let kind = |code| Trouble::of_status(code, "").kind;
        assert_eq!(kind(401), TroubleKind::Unauthorized);
        assert_eq!(kind(403), TroubleKind::Forbidden);
        assert_eq!(kind(404), TroubleKind::Missing);
        assert_eq!(kind(410), TroubleKind::Expired);
        assert_eq!(kind(503), TroubleKind::Unreachable);
        assert_eq!(kind(500), TroubleKind::Other);
        assert_eq!(Trouble::of_status(500, "").why, "the server answered with HTTP 500");
    }

    #[test]
    fn the_last_cause_speaks() {
        let io = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "Connection refused (os error 111)");
        let t = Trouble::from(&kube::Error::Service(Box::new(io)));
        assert_eq!(t.kind, TroubleKind::Refused);
        assert!(t.why.contains("Connection refused"), "{t:?}");
        let tls = std::io::Error::other(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer));
        let t = Trouble::from(&kube::Error::Service(Box::new(tls)));
        assert_eq!(t.kind, TroubleKind::Certificate);
    }

    #[test]
    fn each_cause_has_its_own_hint() {
        use TroubleKind::*;
        let kinds = [Unauthorized, Forbidden, Plugin, Certificate, Refused, NoSuchName, TimedOut, Unreachable];
        let hint = |kind| Trouble::new(kind, "why").problem("what").try_this.unwrap();
        let all: std::collections::BTreeSet<_> = kinds.into_iter().map(hint).collect();
        assert_eq!(all.len(), kinds.len(), "{all:#?}");
    }

    #[test]
    fn a_proxy_is_named_where_the_way_fails() {
        let refused =
            Trouble::new(TroubleKind::Refused, "Connection refused").problem_through("no way", Some("p:3128"));
        assert_eq!(refused.what, "no way through the proxy p:3128");
        assert!(refused.try_this.unwrap().contains("HTTPS_PROXY"));
        let denied = Trouble::new(TroubleKind::Unauthorized, "Unauthorized").problem_through("no way", Some("p:3128"));
        assert_eq!(denied.what, "no way");
    }

    #[test]
    fn a_quoted_object_is_cut() {
        assert!(Trouble::of_status(422, &"x".repeat(22_000)).why.chars().count() <= LONGEST);
    }
}
