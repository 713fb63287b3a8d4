//! What form of answer a client wants.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::lab::api::error::ApiError;

/// The forms an answer can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects themselves.
    #[default]
    Whole,
    /// `as=Table`: kubectl's rows.
    Table,
    /// `as=PartialObjectMetadata(List)`: metadata only.
    Metadata,
}

/// A form and its spelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub form: Form,
    pub yaml: bool,
    /// Discovery: the aggregated form's version, when asked for.
    pub aggregated: Option<&'static str>,
}

impl Wanted {
    /// The first form of the `Accept` header that can be made. Without a header: JSON.
    ///
    /// # Errors
    /// 406 when none can.
    pub fn of(headers: &HeaderMap) -> Result<Wanted, ApiError> {
        let values: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
        let accept = values.join(",");
        if accept.trim().is_empty() {
            return Ok(Wanted::default());
        }
        accept.split(',').find_map(range).ok_or_else(not_acceptable)
    }
}

/// One media range, when it can be served.
fn range(text: &str) -> Option<Wanted> {
    let mut parts = text.split(';').map(str::trim);
    let yaml = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/json" | "application/*" | "*/*" => false,
        "application/yaml" | "application/x-yaml" | "text/yaml" => true,
        _ => return None,
    };
    let (mut kind, mut group, mut version) = (None, None, None);
    for parameter in parts {
        match parameter.split_once('=') {
            Some(("as", value)) => kind = Some(value),
            Some(("g", value)) => group = Some(value),
            Some(("v", value)) => version = Some(value),
            _ => {}
        }
    }
    let form = match (kind, group, version) {
        (None, _, _) => Form::Whole,
        (Some("APIGroupDiscoveryList"), Some("apidiscovery.k8s.io"), Some(version @ ("v2" | "v2beta1"))) => {
            let aggregated = Some(if version == "v2" { "v2" } else { "v2beta1" });
            return Some(Wanted { form: Form::Whole, yaml, aggregated });
        }
        (Some("Table"), Some("meta.k8s.io"), Some("v1")) => Form::Table,
        (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("meta.k8s.io"), Some("v1")) => {
            Form::Metadata
        }
        _ => return None,
    };
    Some(Wanted { form, yaml, aggregated: None })
}

fn not_acceptable() -> ApiError {
    let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, \
                   application/json;stream=watch";
    ApiError::new(406, "NotAcceptable", message).with(serde_json::json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &str) -> Result<Wanted, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().expect("header"));
        Wanted::of(&headers).map_err(|e| e.code)
    }

    #[test]
    fn what_real_clients_send() {
        let plain = Ok(Wanted::default());
        assert_eq!(of("application/vnd.kubernetes.protobuf, */*"), plain);
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), plain);
        assert_eq!(
            of(
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
            ),
            Ok(Wanted { form: Form::Table, ..Wanted::default() })
        );
        assert_eq!(
            of("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Ok(Wanted { form: Form::Metadata, ..Wanted::default() })
        );
        assert_eq!(
            of("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"),
            Ok(Wanted { aggregated: Some("v2beta1"), ..Wanted::default() })
        );
        assert_eq!(of("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), plain);
        assert_eq!(of("application/yaml"), Ok(Wanted { yaml: true, ..Wanted::default() }));
        assert_eq!(of("text/plain"), Err(406));
        assert_eq!(of("application/vnd.kubernetes.protobuf"), Err(406));
        assert_eq!(Wanted::of(&HeaderMap::new()), Ok(Wanted::default()));
    }
}
