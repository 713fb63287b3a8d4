//! What went wrong at a store, sorted by what can be done about it, without secrets.

use object_store::Error;
use object_store::client::{HttpError, HttpErrorKind};
use std::error::Error as StdError;

use super::place::{Holder, Place};
use crate::problem::Problem;
use crate::text::{clean, shorten};

/// Longest reason that is kept.
const LONGEST: usize = 300;

/// The problem that an error makes, given what was being done.
pub fn problem(what: &str, place: &Place, error: &Error) -> Problem {
    let problem = Problem::new(what).because(why(error));
    let hint = match error {
        Error::NotFound { .. } => format!("is {} the right place, and does it still exist?", place.holder),
        Error::PermissionDenied { .. } => match &place.holder {
            Holder::Azure { .. } => format!(
                "{} needs the role Storage Blob Data Reader there, or the key is another account's; is the account's firewall open to you?",
                "whoever asks"
            ),
            Holder::S3 { .. } => "the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects".into(),
            Holder::Google { .. } => "the credentials need storage.objects.list and storage.objects.get".into(),
            Holder::Folder { .. } => "may you read every file below it?".into(),
        },
        Error::Unauthenticated { .. } => match &place.holder {
            Holder::Azure { .. } => "az login, or the environment of a service principal (AZURE_CLIENT_ID, …)".into(),
            Holder::S3 { .. } => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or new keys".into(),
            Holder::Google { .. } => "gcloud auth application-default login".into(),
            // Files ask for no credentials.
            Holder::Folder { .. } => return problem,
        },
        _ => match kind(error) {
            Some(HttpErrorKind::Connect | HttpErrorKind::Timeout) => {
                "does the store's name resolve from here, and is a VPN or a proxy (HTTPS_PROXY) needed? The cluster may reach what this machine can't".into()
            }
            _ => return problem,
        },
    };
    problem.try_this(hint)
}

fn kind(error: &Error) -> Option<HttpErrorKind> {
    chain(error).find_map(|e| e.downcast_ref::<HttpError>()).map(HttpError::kind)
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let e = next?;
        next = e.source();
        Some(e)
    })
}

/// The reason in words: the last cause of a failed connection, else what the store said.
fn why(error: &Error) -> String {
    let text = if kind(error).is_some() {
        let way = chain(error).filter(|e| !e.is::<HttpError>()).map(ToString::to_string).last();
        way.unwrap_or_else(|| error.to_string())
    } else {
        error.to_string()
    };
    let said = said(&text).unwrap_or_else(|| without_query(&text));
    shorten(clean(&said).trim(), LONGEST)
}

/// Code and message of the XML that a store answers with.
fn said(text: &str) -> Option<String> {
    let tag = |name: &str| {
        let from = text.find(&format!("<{name}>"))? + name.len() + 2;
        text.get(from..from + text.get(from..)?.find("</")?).map(|t| t.lines().next().unwrap_or_default().to_owned())
    };
    let code = tag("Code")?;
    Some(tag("Message").map_or_else(|| code.clone(), |m| format!("{code}: {m}")))
}

/// The text without what stands behind the `?` of URLs: a signature may.
fn without_query(text: &str) -> String {
    let word = |w: &str| match (w.contains("://"), w.split_once('?')) {
        (true, Some((before, _))) => before.to_owned(),
        _ => w.to_owned(),
    };
    text.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::read("s3://b/p", None, "pg").unwrap()
    }

    #[test]
    fn the_stores_own_words_are_told() {
        let xml = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no\nRequestId:1</Message></Error>";
        let error = Error::PermissionDenied { path: "p".into(), source: xml.into() };
        let told = problem("can't list", &place(), &error);
        assert_eq!(told.because.as_deref(), Some("AccessDenied: no"));
        assert!(told.try_this.unwrap().contains("s3:ListBucket"));
    }

    #[test]
    fn signatures_are_not() {
        let source = "Error performing GET https://acme.blob.core.windows.net/c?sv=1&sig=hunter2 in 3 s - gone";
        let error = Error::Generic { store: "Azure", source: source.into() };
        let told = problem("can't list", &place(), &error).to_string();
        assert!(told.contains("https://acme.blob.core.windows.net/c in") && !told.contains("hunter2"), "{told}");
    }
}
