//! SPDY's header blocks: pairs of texts, compressed by zlib with a dictionary that both sides know.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// How far zlib looks back.
const WINDOW: usize = 32 * 1024;
/// More than any header block of a client.
const LIMIT: usize = 64 * 1024;

/// The words of SPDY/3's dictionary (section 2.6.10.1 of its specification), which stand in it with their lengths.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
                     accept-ranges age allow authorization cache-control connection content-base content-encoding \
                     content-language content-length content-location content-md5 content-range content-type date etag \
                     expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since \
                     last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer \
                     retry-after server te trailer transfer-encoding upgrade user-agent vary via warning \
                     www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin";

/// The dictionary's end, without lengths.
const REST: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
                    Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 \
                    Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb \
                    Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, \
                    GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,\
                    text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn dictionary() -> Vec<u8> {
    let mut all = Vec::new();
    for word in WORDS.split(' ') {
        let word = word.replace('_', " ");
        all.extend_from_slice(&u32::try_from(word.len()).unwrap_or(0).to_be_bytes());
        all.extend_from_slice(word.as_bytes());
    }
    all.extend_from_slice(REST.as_bytes());
    all
}

/// The headers of a stream, names in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::lab::api::wire) struct Headers(Vec<(String, String)>);

impl Headers {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Reads the header blocks of one connection, in order.
pub(super) struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    begun: bool,
}

impl Inflater {
    pub fn new() -> Self {
        let mut window = dictionary();
        let at = window.len();
        window.resize(WINDOW, 0);
        Inflater { state: Box::default(), window, at, begun: false }
    }

    /// A block; none when it makes no sense.
    pub fn read(&mut self, block: &[u8]) -> Option<Headers> {
        let mut block = block;
        if !self.begun {
            // zlib's own header, and with the bit 0x20 the dictionary's checksum. The rest is plain deflate.
            let skip = if block.get(1)? & 0x20 == 0 { 2 } else { 6 };
            block = block.get(skip..)?;
            self.begun = true;
        }
        let mut text = Vec::new();
        loop {
            let flags = inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
            let (status, read, written) = decompress(&mut self.state, block, &mut self.window, self.at, flags);
            text.extend_from_slice(self.window.get(self.at..self.at + written)?);
            self.at = (self.at + written) % WINDOW;
            block = block.get(read..)?;
            match status {
                _ if text.len() > LIMIT => return None,
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput | TINFLStatus::Done => return pairs(&text),
                _ => return None,
            }
        }
    }
}

fn pairs(text: &[u8]) -> Option<Headers> {
    let mut rest = text;
    let (count, mut headers) = (number(&mut rest)?, Headers::default());
    for _ in 0..count {
        let (name, value) = (word(&mut rest)?, word(&mut rest)?);
        headers.0.push((name.to_ascii_lowercase(), value));
    }
    Some(headers)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_be_bytes(*head)).ok()
}

fn word(rest: &mut &[u8]) -> Option<String> {
    let length = number(rest)?;
    let (word, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(String::from_utf8_lossy(word).into_owned())
}

/// A block without headers, in deflate's form for what is not compressed. The first of a connection begins with zlib's
/// header.
pub(super) fn none(first: bool) -> Vec<u8> {
    let mut block = if first { vec![0x78, 0x01] } else { Vec::new() };
    // The empty part at the end makes readers hand over what they have.
    block.extend_from_slice(&[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    block
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dictionary_is_the_one_that_both_sides_know() {
        let (mut a, mut b) = (1u32, 0u32);
        for byte in dictionary() {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        assert_eq!((dictionary().len(), b << 16 | a), (1423, 0xe3c6_a7c2));
    }

    #[test]
    fn recorded_blocks_build_on_each_other() {
        let mut inflater = Inflater::new();
        let first = hex(
            "78f9e3c6a7c202253a060606ce2248fc6482d22da30138e59514a526e6420b17d65450d0430aea22709e3035313602000000ffff",
        );
        assert_eq!(inflater.read(&first).expect("headers").get("streamtype"), Some("error"));
        let second = inflater.read(&hex("826a46550a2a8712b1a844b302000000ffff")).expect("headers");
        assert_eq!(
            (second.get("streamtype"), second.get("port"), second.get("requestid")),
            (Some("data"), Some("5432"), Some("0"))
        );
        assert_eq!(Inflater::new().read(&none(true)), Some(Headers::default()));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_not_feared(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Inflater::new().read(&block);
            let _ = pairs(&block);
        }
    }
}
