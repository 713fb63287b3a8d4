//! List Blobs: one page of names with what is known of each, as XML.

use std::fs;
use std::path::Path;

use http::StatusCode;

use super::answer::{Answer, Refusal, escape, http_time, xml};
use super::read::About;
use super::walk::{Item, Wanted, walk};

/// A page's length, at most and where nothing is asked.
const PAGE: usize = 5000;

/// Answers `GET /<account>/<container>?restype=container&comp=list`.
///
/// # Errors
/// Parameters that can't be, folders that can't be read.
pub async fn list(root: &Path, endpoint: &str, container: &str, query: &[(String, String)]) -> Result<Answer, Refusal> {
    let get = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str()).unwrap_or_default();
    let wanted = Wanted {
        prefix: get("prefix").to_owned(),
        delimiter: get("delimiter").to_owned(),
        from: get("marker").to_owned(),
        most: most(get("maxresults"))?,
    };
    let (root, asked) = (root.to_owned(), wanted.clone());
    let page = tokio::task::spawn_blocking(move || walk(&root, &asked).map(|found| page(found, asked.most)));
    let (blobs, next) = match page.await {
        Ok(page) => page.map_err(|e| Refusal::internal(&e))?,
        Err(e) => return Err(Refusal::internal(&std::io::Error::other(e))),
    };
    let element = |name: &str, value: &str| match value {
        "" => String::new(),
        value => format!("<{name}>{}</{name}>", escape(value)),
    };
    Ok(xml(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"{endpoint}/\" \
         ContainerName=\"{container}\">{}{}{}{}<Blobs>{blobs}</Blobs>{}</EnumerationResults>",
        element("Prefix", &wanted.prefix),
        element("Marker", &wanted.from),
        element("MaxResults", get("maxresults")),
        element("Delimiter", &wanted.delimiter),
        next.map_or_else(|| "<NextMarker />".to_owned(), |next| element("NextMarker", &next)),
    )))
}

fn most(asked: &str) -> Result<usize, Refusal> {
    match asked {
        "" => Ok(PAGE),
        number => match number.parse::<usize>() {
            Ok(0) => {
                let message =
                    "One of the query parameters specified in the request URI is outside the permissible range.";
                Err(Refusal::new(StatusCode::BAD_REQUEST, "OutOfRangeQueryParameterValue", message))
            }
            Ok(number) => Ok(number.min(PAGE)),
            Err(_) => Err(Refusal::bad_parameter("maxresults")),
        },
    }
}

/// The page's elements, and where the next page begins.
fn page(mut found: Vec<Item>, most: usize) -> (String, Option<String>) {
    let next = if found.len() > most { found.pop().map(|item| item.name().to_owned()) } else { None };
    let mut text = String::new();
    for item in found {
        match item {
            Item::Prefix(name) => text += &format!("<BlobPrefix><Name>{}</Name></BlobPrefix>", escape(&name)),
            // A blob that was deleted meanwhile is not told.
            Item::Blob(name, file) => {
                if let Ok(about) = fs::metadata(file).map(|meta| About::of(&meta)) {
                    text += &format!("<Blob><Name>{}</Name>{}</Blob>", escape(&name), properties(&about));
                }
            }
        }
    }
    (text, next)
}

fn properties(about: &About) -> String {
    let at = http_time(about.modified);
    format!(
        "<Properties><Creation-Time>{at}</Creation-Time><Last-Modified>{at}</Last-Modified><Etag>{}</Etag>\
         <Content-Length>{}</Content-Length><Content-Type>application/octet-stream</Content-Type><Content-Encoding />\
         <Content-Language /><Content-CRC64 /><Content-MD5 /><Cache-Control /><Content-Disposition />\
         <BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>\
         <LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>\
         </Properties><OrMetadata />",
        about.tag, about.size
    )
}
