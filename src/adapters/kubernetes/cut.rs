//! Objects cut down while they are decoded: what nobody shows or judges is skipped, not stored.
//!
//! A pod of an operator is some 15 kB of JSON, most of it field managers, mounts, probes and environment; 10,000 of them
//! would be more than the whole console may use, and a re-list would hold them all at once.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use std::fmt;

/// An object without what is skipped. Serializes as the value it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Cut(pub Value);

/// Field names that are skipped wherever they are. None of them carries anything that is shown or judged.
fn skipped(name: &str) -> bool {
    matches!(
        name,
        "managedFields"
            | "kubectl.kubernetes.io/last-applied-configuration"
            | "cnpg.io/podSpec"
            | "volumes"
            | "volumeMounts"
            | "env"
            | "envFrom"
            | "tolerations"
            | "securityContext"
            | "livenessProbe"
            | "readinessProbe"
            | "startupProbe"
            | "images"
            | "volumesInUse"
            | "volumesAttached"
    )
}

impl<'de> Deserialize<'de> for Cut {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Pruned.deserialize(d).map(Cut)
    }
}

struct Pruned;

impl<'de> DeserializeSeed<'de> for Pruned {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Value, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E: Error>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(v) = seq.next_element_seed(Pruned)? {
            out.push(v);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if skipped(&key) {
                map.next_value::<IgnoredAny>()?;
            } else {
                out.insert(key, map.next_value_seed(Pruned)?);
            }
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn skips_at_any_depth_and_keeps_the_rest() {
        let text = r#"{"metadata":{"name":"demo-1","managedFields":[{"x":1}],"annotations":{"cnpg.io/podSpec":"{}","a":"b"}},
            "spec":{"containers":[{"name":"postgres","env":[{"name":"A"}],"command":["--status-port-tls"]}],"volumes":[]},
            "status":{"n":-1,"u":18446744073709551615,"f":1.5,"t":true,"z":null}}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!(
            cut.0,
            json!({"metadata":{"name":"demo-1","annotations":{"a":"b"}},
                "spec":{"containers":[{"name":"postgres","command":["--status-port-tls"]}]},
                "status":{"n":-1,"u":18446744073709551615u64,"f":1.5,"t":true,"z":null}})
        );
    }

    #[test]
    fn broken_json_is_an_error() {
        assert!(serde_json::from_str::<Cut>("{\"a\":").is_err());
    }
}
