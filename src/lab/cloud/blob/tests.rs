//! The service over real connections.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use sha2::Sha256;

use super::signature::string_to_sign;
use super::*;

struct Place {
    root: tempfile::TempDir,
    service: BlobService,
}

async fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let account = Account::generate("lab");
    let service = BlobService::start(root.path().to_owned(), account, "backups").await.unwrap();
    Place { root, service }
}

impl Place {
    fn put(&self, name: &str, content: &str) {
        let file = self.root.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    /// Asks as the account's owner would. `None` when nobody answers.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Response<Bytes>> {
        let url = format!("{}{path}", self.service.url());
        let date = answer::http_time(Timestamp::now());
        let builder = Request::builder().method(method).uri(&url).header("x-ms-date", date);
        let builder = headers.iter().fold(builder, |b, (name, value)| b.header(*name, *value));
        let (mut parts, ()) = builder.body(()).unwrap().into_parts();
        let account = self.service.account();
        let text = string_to_sign(&account.name, &parts, &parameters(parts.uri.query()));
        let mac = Hmac::<Sha256>::new_from_slice(&account.key).unwrap().chain_update(text).finalize().into_bytes();
        let signed = format!("SharedKey {}:{}", account.name, STANDARD.encode(mac));
        parts.headers.entry("authorization").or_insert(signed.parse().unwrap());
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let (head, body) = client.request(Request::from_parts(parts, Empty::new())).await.ok()?.into_parts();
        Some(Response::from_parts(head, body.collect().await.ok()?.to_bytes()))
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        self.ask("GET", path, headers).await.expect("an answer")
    }
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8_lossy(answer.body()).into_owned()
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

/// The contents of all elements of that name.
fn all(text: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    text.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn thousands_of_blobs_come_page_by_page() {
    let place = place().await;
    for number in 0..5_003 {
        place.put(&format!("shop/wals/{number:05}&"), "");
    }
    let (mut names, mut pages, mut marker) = (Vec::new(), 0, String::new());
    loop {
        let answer = place.get(&format!("?restype=container&comp=list&marker={marker}"), &[]).await;
        assert_eq!(answer.status(), 200, "{}", text(&answer));
        names.extend(all(&text(&answer), "Name"));
        pages += 1;
        let Some(next) = all(&text(&answer), "NextMarker").pop() else { break };
        marker = next.replace("&amp;", "%26").replace('/', "%2F");
    }
    assert_eq!((pages, names.len()), (2, 5_003));
    assert_eq!((names[0].as_str(), names[5_002].as_str()), ("shop/wals/00000&amp;", "shop/wals/05002&amp;"));
    let few = place.get("?restype=container&comp=list&maxresults=2&prefix=shop%2F&delimiter=%2F", &[]).await;
    assert_eq!(all(&text(&few), "Name"), ["shop/wals/"]);
    let none = place.get("?restype=container&comp=list&maxresults=0", &[]).await;
    assert_eq!((none.status().as_u16(), header(&none, "x-ms-error-code")), (400, "OutOfRangeQueryParameterValue"));
}

#[tokio::test]
async fn a_blob_is_read_whole_or_in_part() {
    let place = place().await;
    place.put("shop/base/1/backup.info", "0123456789");
    let path = "/shop/base/1/backup.info";
    let whole = place.get(path, &[]).await;
    assert_eq!((whole.status().as_u16(), text(&whole).as_str()), (200, "0123456789"));
    let tag = header(&whole, "etag").to_owned();
    let part = place.get(path, &[("range", "bytes=3-5")]).await;
    assert_eq!((part.status().as_u16(), text(&part).as_str()), (206, "345"));
    assert_eq!(header(&part, "content-range"), "bytes 3-5/10");
    let rest = place.get(path, &[("x-ms-range", "bytes=8-99")]).await;
    assert_eq!((text(&rest).as_str(), header(&rest, "content-range")), ("89", "bytes 8-9/10"));
    let beyond = place.get(path, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */10"));
    let head = place.ask("HEAD", path, &[]).await.unwrap();
    assert_eq!((header(&head, "content-length"), header(&head, "x-ms-blob-type")), ("10", "BlockBlob"));
    assert_eq!(place.get(path, &[("if-none-match", &tag)]).await.status(), 304);
    place.put("shop/base/1/backup.info", "other");
    assert_eq!(place.get(path, &[("if-match", &tag)]).await.status(), 412);
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_is_said_in_azures_words() {
    let place = place().await;
    place.put("shop/.part/base.tar", "not yet");
    let code = |answer: &Response<Bytes>| {
        (answer.status().as_u16(), header(answer, "x-ms-error-code").to_owned(), all(&text(answer), "Code").pop())
    };
    let said = |status: u16, name: &str| (status, name.to_owned(), Some(name.to_owned()));
    for path in ["/shop/none", "/shop/.part/base.tar", "/shop"] {
        assert_eq!(code(&place.get(path, &[]).await), said(404, "BlobNotFound"), "{path}");
    }
    let head = place.ask("HEAD", "/shop/none", &[]).await.unwrap();
    assert_eq!(code(&head), (404, "BlobNotFound".to_owned(), None));
    let other = place.get("2?restype=container&comp=list", &[]).await;
    assert_eq!(code(&other), said(404, "ContainerNotFound"));
    let put = place.ask("PUT", "/shop/new", &[]).await.unwrap();
    assert_eq!(code(&put), said(403, "AuthorizationPermissionMismatch"));
    for wrong in ["SharedKey lab:AAAA", "SharedKey other:AAAA", "Bearer x"] {
        let answer = place.get("?restype=container&comp=list", &[("authorization", wrong)]).await;
        assert_eq!(code(&answer), said(403, "AuthenticationFailed"), "{wrong}");
    }
}

#[tokio::test]
async fn it_goes_and_comes_back_at_the_same_address() {
    let place = place().await;
    let list = "?restype=container&comp=list";
    assert_eq!(place.get(list, &[]).await.status(), 200);
    place.service.stop().await;
    assert!(place.ask("GET", list, &[]).await.is_none());
    let before = place.service.url();
    place.service.resume().await.unwrap();
    assert_eq!((place.get(list, &[]).await.status().as_u16(), place.service.url()), (200, before));
}

#[test]
fn the_key_is_not_shown() {
    let account = Account::generate("lab");
    let shown = format!("{account:?}");
    assert!(shown.contains("lab") && !shown.contains("key") && !shown.contains(&account.key()), "{shown}");
}
