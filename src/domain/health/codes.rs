//! Names of reasons, as files, JSON and the command line write them.

use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::ReasonCode;

impl ReasonCode {
    /// Every name there is, in the order of the codes: read off the type itself, so none can be forgotten.
    pub fn names() -> &'static [&'static str] {
        let mut names: &'static [&'static str] = &[];
        // It always fails: it only listens to which names the type would take.
        let _ = ReasonCode::deserialize(Names(&mut names));
        names
    }

    /// The code of that name.
    pub fn named(name: &str) -> Option<ReasonCode> {
        let text = serde::de::value::StrDeserializer::<Error>::new(name);
        ReasonCode::deserialize(text).ok()
    }

    /// Its name: `archive-failing`.
    pub fn name(self) -> &'static str {
        ReasonCode::names().get(self as usize).copied().unwrap_or_default()
    }

    /// Every code.
    pub fn all() -> impl Iterator<Item = ReasonCode> {
        ReasonCode::names().iter().filter_map(|name| ReasonCode::named(name))
    }
}

/// Takes down the names of an enum's variants instead of reading one.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("only names are asked for"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        assert!(ReasonCode::names().len() > 40);
        for code in ReasonCode::all() {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
        assert_eq!(ReasonCode::all().count(), ReasonCode::names().len());
        assert_eq!(ReasonCode::named("archive-failing"), Some(ReasonCode::ArchiveFailing));
        assert_eq!(ReasonCode::named("no-such"), None);
    }
}
