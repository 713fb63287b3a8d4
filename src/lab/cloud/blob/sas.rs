//! Who asks: a shared access signature in the query, of the account, the container or one blob
//! (<https://learn.microsoft.com/rest/api/storageservices/create-service-sas>, `…/create-account-sas`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::Timestamp;

use super::Account;
use super::answer::Refusal;

/// The oldest version whose text to sign is known here.
const SINCE: &str = "2020-12-06";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The container.
    pub container: &'a str,
    /// The blob, or "".
    pub blob: &'a str,
    /// The letter of the permission: `r` to read a blob, `l` to list.
    pub permission: char,
}

/// Looks whether the signature in the query allows that now.
///
/// # Errors
/// 403, with the reason.
pub fn verify(account: &Account, query: &[(String, String)], asked: Asked<'_>, now: Timestamp) -> Result<(), Refusal> {
    let get = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str()).unwrap_or_default();
    if get("sv") < SINCE || !get("si").is_empty() || !get("skoid").is_empty() {
        return Err(Refusal::unknown().because(format!("only signatures by the account's key, since {SINCE}")));
    }
    let resource = match get("sr") {
        "c" => format!("/blob/{}/{}", account.name, asked.container),
        "b" => format!("/blob/{}/{}/{}", account.name, asked.container, asked.blob),
        "" if !get("ss").is_empty() => String::new(),
        _ => return Err(Refusal::unknown().because("signedresource (sr) is not c or b")),
    };
    let text = match resource.as_str() {
        "" => {
            let fields = ["sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"].map(get);
            format!("{}\n{}\n", account.name, fields.join("\n"))
        }
        resource => {
            let before = ["sp", "st", "se"].map(get).join("\n");
            let after = ["si", "sip", "spr", "sv", "sr", "snapshot", "ses", "rscc", "rscd", "rsce", "rscl", "rsct"];
            format!("{before}\n{resource}\n{}", after.map(get).join("\n"))
        }
    };
    if !account.signs(&text, &STANDARD.decode(get("sig")).unwrap_or_default()) {
        let why = format!("Signature did not match. String to sign used was {text}");
        return Err(Refusal::unknown().because(why));
    }
    let time = |name: &str| get(name).parse::<Timestamp>().ok();
    let begun = get("st").is_empty() || time("st").is_some_and(|at| at <= now);
    if !begun || time("se").is_none_or(|at| at <= now) {
        let why =
            format!("Signature not valid in the specified time frame: Start [{}] - Expiry [{}]", get("st"), get("se"));
        return Err(Refusal::unknown().because(why));
    }
    allows(&get, &resource, asked)
}

/// Whether a signature that is right is for that.
fn allows<'a>(get: &impl Fn(&str) -> &'a str, resource: &str, asked: Asked<'_>) -> Result<(), Refusal> {
    if get("spr") == "https" {
        let message = "This request is not authorized to perform this operation using this protocol.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "AuthorizationProtocolMismatch", message));
    }
    if !matches!(get("sip"), "" | "127.0.0.1") {
        let message = "This request is not authorized to perform this operation using this source IP.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "AuthorizationSourceIPMismatch", message));
    }
    let whole_account = resource.is_empty();
    let kind = if asked.blob.is_empty() { 'c' } else { 'o' };
    if whole_account && !(get("ss").contains('b') && get("srt").contains(kind)) {
        let message = "This request is not authorized to perform this operation using this resource type.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "AuthorizationResourceTypeMismatch", message));
    }
    let one_blob = get("sr") == "b" && asked.blob.is_empty();
    if one_blob || !get("sp").contains(asked.permission) {
        return Err(Refusal::forbidden());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::cloud::blob::parameters;

    const LIST: Asked<'_> = Asked { container: "backups", blob: "", permission: 'l' };
    const READ: Asked<'_> = Asked { container: "backups", blob: "shop/base/1/backup.info", permission: 'r' };

    // Made by the Python package azure-storage-blob 12 for the account `lab` and the key of the bytes 0 to 63.
    const CONTAINER: &str =
        "se=2026-11-21T12%3A00%3A00Z&sp=rl&sv=2026-10-06&sr=c&sig=4atwh/ychM%2BoaZcZlU4lh6edB5j02DEzNi0i0nsHp8g%3D";
    const BLOB: &str = "st=2026-11-21T09%3A00%3A00Z&se=2026-11-21T12%3A00%3A00Z&sp=r&sv=2026-10-06&sr=b\
                        &sig=w%2BLxcLV9CNhrFCI8u7izGF2VEzJQQr6/jrhxQThbnj0%3D";
    const ACCOUNT: &str = "se=2026-11-21T12%3A00%3A00Z&sp=rl&sv=2026-10-06&ss=b&srt=co\
                           &sig=Ck6LbFk629W1f6cBL4aH3Jlxt3P1nIHJOOHFMhNk2C8%3D";
    const BY_TLS: &str = "se=2026-11-21T12%3A00%3A00Z&sp=rl&spr=https&sv=2026-10-06&sr=c\
                          &sig=zUiKLdMcnAUlanFMhGoakOx%2BBMyCgRajsP2r/ngLIXc%3D";

    fn asked_at(now: &str, query: &str, asked: Asked<'_>) -> Result<(), &'static str> {
        let account = Account { name: "lab".to_owned(), key: (0..64).collect() };
        verify(&account, &parameters(Some(query)), asked, now.parse().unwrap()).map_err(|refusal| refusal.code)
    }

    fn asked(query: &str, asked: Asked<'_>) -> Result<(), &'static str> {
        asked_at("2026-11-21T10:00:00Z", query, asked)
    }

    #[test]
    fn what_azures_own_tools_sign_is_taken() {
        for (query, what) in [(CONTAINER, LIST), (CONTAINER, READ), (BLOB, READ), (ACCOUNT, LIST), (ACCOUNT, READ)] {
            assert_eq!(asked(query, what), Ok(()), "{query}");
        }
    }

    #[test]
    fn and_nothing_else() {
        assert_eq!(asked(&CONTAINER.replace("sp=rl", "sp=rwl"), LIST), Err("AuthenticationFailed"));
        assert_eq!(asked(CONTAINER, Asked { container: "other", ..LIST }), Err("AuthenticationFailed"));
        assert_eq!(asked(BLOB, Asked { blob: "shop/base/2/backup.info", ..READ }), Err("AuthenticationFailed"));
        assert_eq!(asked(BLOB, Asked { permission: 'l', ..READ }), Err("AuthorizationPermissionMismatch"));
        assert_eq!(asked(BY_TLS, LIST), Err("AuthorizationProtocolMismatch"));
        assert_eq!(asked_at("2026-11-21T12:00:00Z", CONTAINER, LIST), Err("AuthenticationFailed"));
        assert_eq!(asked_at("2026-11-21T08:59:59Z", BLOB, READ), Err("AuthenticationFailed"));
        assert_eq!(asked("sv=2026-10-06", LIST), Err("AuthenticationFailed"));
    }
}
