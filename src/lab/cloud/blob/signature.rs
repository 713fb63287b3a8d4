//! Who asks: the Shared Key scheme (<https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>).
//!
//! The client signs method, headers and resource with the account's key; the server does the same and compares.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use sha2::Sha256;

use super::Account;
use super::answer::Refusal;

/// How far a request's own time may be from now, in seconds.
const FRESH: i64 = 15 * 60;

/// Headers that are signed by their place, in this order, after the method.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Looks whether a request is signed with the account's key, and was so just now.
///
/// # Errors
/// 403 `AuthenticationFailed`, with the reason.
pub fn verify(account: &Account, request: &Parts, query: &[(String, String)], now: Timestamp) -> Result<(), Refusal> {
    let given = header(request, "authorization");
    let signed = given.strip_prefix("SharedKey ").and_then(|rest| rest.split_once(':'));
    let Some((_, signature)) = signed.filter(|(name, _)| *name == account.name.as_str()) else {
        return Err(Refusal::unknown());
    };
    if !is_fresh(request, now) {
        let why = "Request date header too old or absent";
        return Err(Refusal::unknown().because(why));
    }
    let text = string_to_sign(&account.name, request, query);
    let claimed = STANDARD.decode(signature).unwrap_or_default();
    if !account.signs(&text, &claimed) {
        let why = format!(
            "The MAC signature found in the HTTP request '{signature}' is not the same as any computed signature. Server \
             used following string to sign: '{text}'."
        );
        return Err(Refusal::unknown().because(why));
    }
    Ok(())
}

impl Account {
    /// Whether `signature` is this account's for `text`.
    pub(super) fn signs(&self, text: &str, signature: &[u8]) -> bool {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key);
        mac.is_ok_and(|mac| mac.chain_update(text).verify_slice(signature).is_ok())
    }
}

fn header<'a>(request: &'a Parts, name: &str) -> &'a str {
    request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_fresh(request: &Parts, now: Timestamp) -> bool {
    let told = [header(request, "x-ms-date"), header(request, "date")].into_iter().find(|text| !text.is_empty());
    let at = told.and_then(|text| rfc2822::parse(text).ok());
    at.is_some_and(|at| at.timestamp().duration_since(now).as_secs().abs() <= FRESH)
}

pub(super) fn string_to_sign(account: &str, request: &Parts, query: &[(String, String)]) -> String {
    let mut text = format!("{}\n", request.method);
    let own_date = request.headers.contains_key("x-ms-date");
    for name in SIGNED {
        let value = match (name, header(request, name)) {
            ("content-length", "0") => "",
            ("date", _) if own_date => "",
            (_, value) => value,
        };
        text += &format!("{value}\n");
    }
    let mut own: Vec<(&str, String)> = request
        .headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-ms-"))
        .map(|(name, value)| (name.as_str(), folded(value.to_str().unwrap_or_default())))
        .collect();
    own.sort();
    for (name, value) in own {
        text += &format!("{name}:{value}\n");
    }
    text += &format!("/{account}{}", request.uri.path());
    let mut parameters: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in query {
        parameters.entry(name.to_lowercase()).or_default().push(value);
    }
    for (name, mut values) in parameters {
        values.sort_unstable();
        text += &format!("\n{name}:{}", values.join(","));
    }
    text
}

/// White space is one blank.
fn folded(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let builder = headers.iter().fold(Request::get(uri), |b, (name, value)| b.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    /// The example of the scheme's own description: a listing of `mycontainer`'s metadata.
    #[test]
    fn the_text_that_is_signed_is_that_of_the_description() {
        let parts = request(
            "/mycontainer?restype=container&comp=metadata&timeout=20",
            &[("x-ms-version", "2015-02-21"), ("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"), ("content-length", "0")],
        );
        let query = [("restype", "container"), ("comp", "metadata"), ("timeout", "20")];
        let query = query.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(
            string_to_sign("myaccount", &parts, &query),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n\
             /myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"
        );
    }

    #[test]
    fn only_the_accounts_key_and_only_now() {
        let account = Account::generate("howdahlab");
        let now: Timestamp = "2026-11-21T09:39:44Z".parse().unwrap();
        let asked = |key: &Account, date: &str| {
            let unsigned = request("/howdahlab/backups", &[("x-ms-date", date)]);
            let text = string_to_sign("howdahlab", &unsigned, &[]);
            let mac = Hmac::<Sha256>::new_from_slice(&key.key).unwrap().chain_update(text).finalize().into_bytes();
            let signed = format!("SharedKey howdahlab:{}", STANDARD.encode(mac));
            let parts = request("/howdahlab/backups", &[("x-ms-date", date), ("authorization", &signed)]);
            verify(&account, &parts, &[], now).map_err(|refusal| refusal.detail.unwrap_or_default())
        };
        assert_eq!(asked(&account, "Sat, 21 Nov 2026 09:39:44 GMT"), Ok(()));
        assert!(asked(&account, "Sat, 21 Nov 2026 09:20:44 GMT").unwrap_err().contains("too old"));
        let other = Account::generate("howdahlab");
        assert!(asked(&other, "Sat, 21 Nov 2026 09:39:44 GMT").unwrap_err().contains("not the same"));
        assert!(verify(&account, &request("/howdahlab/backups", &[]), &[], now).is_err());
    }
}
