//! A list as the API sends it. Each object is cut down and decoded as soon as it has been read, so that of a page of
//! hundreds no more than one is ever held whole.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

use super::cut::Cut;
use super::decode::Object;
use super::kinds::Kind;

/// One page of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// The version a watch goes on from.
    pub version: String,
    /// Where the list goes on, if it does.
    pub next: Option<String>,
    /// The objects.
    pub objects: Vec<Object>,
}

impl Page {
    /// Reads a page of objects of a kind.
    ///
    /// # Errors
    /// What is wrong with the JSON.
    pub fn read(kind: Kind, text: &str) -> serde_json::Result<Page> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let page = Whole(kind).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(page)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

struct Whole(Kind);

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Page, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page, A::Error> {
        let mut page = Page::default();
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "metadata" => {
                    let meta: Meta = map.next_value()?;
                    page.version = meta.resource_version;
                    page.next = meta.next.filter(|next| !next.is_empty());
                }
                "items" => page.objects = map.next_value_seed(Items(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(page)
    }
}

struct Items(Kind);

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Vec<Object>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<Object>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Vec<Object>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("objects")
    }

    /// Go writes a list without entries so, where nobody made it an empty one.
    fn visit_unit<E: Error>(self) -> Result<Vec<Object>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<Object>, A::Error> {
        let mut objects = Vec::new();
        while let Some(Cut(object)) = items.next_element()? {
            objects.push(Object::read(self.0, &object));
        }
        Ok(objects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_whatever_stands_where() {
        let text = r#"{"kind":"PodList","items":[{"metadata":{"name":"a","namespace":"db","labels":{"cnpg.io/cluster":"c"}}},
            {"metadata":{"name":"of nobody"}}],"metadata":{"resourceVersion":"7","continue":"more","remainingItemCount":3}}"#;
        let page = Page::read(Kind::Pod, text).unwrap();
        assert_eq!((page.version.as_str(), page.next.as_deref()), ("7", Some("more")));
        let kept: Vec<_> = page.objects.iter().map(|o| o.part.is_some()).collect();
        assert_eq!(kept, [true, false]);
    }

    #[test]
    fn an_end_and_no_items_are_told_in_two_ways_each() {
        for text in [r#"{"metadata":{"continue":""},"items":null}"#, r#"{"metadata":{}}"#] {
            let page = Page::read(Kind::Pod, text).unwrap();
            assert!(page.next.is_none() && page.objects.is_empty(), "{text}");
        }
    }

    #[test]
    fn half_a_page_and_more_than_one_are_errors() {
        for text in [r#"{"items":[{"metadata":"#, "[]", r#"{"items":[]} {}"#] {
            assert!(Page::read(Kind::Pod, text).is_err(), "{text}");
        }
    }
}
