//! Content negotiation: the encoding and the shape of a response. Pure functions.

use http::HeaderMap;
use http::header::ACCEPT;
use squall_api::Error;

/// The encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf.
    Protobuf,
}

/// Which parts of the objects a response contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Complete objects.
    Objects,
    /// Rows of a table.
    Table,
    /// Only the metadata.
    Metadata,
}

/// The negotiated format of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// JSON, YAML or protobuf.
    pub encoding: Encoding,
    /// Objects, a table or metadata.
    pub shape: Shape,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Json, Self::Yaml, Self::Protobuf];

    /// Returns the content type of the encoding.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// Returns the encoding of a content type without parameters.
    #[must_use]
    pub fn parse(media_type: &str) -> Option<Self> {
        match media_type {
            "application/json" | "*/*" | "application/*" | "" => Some(Self::Json),
            "application/yaml" | "application/x-yaml" => Some(Self::Yaml),
            "application/vnd.kubernetes.protobuf" => Some(Self::Protobuf),
            _ => None,
        }
    }
}

/// One of the types that a client accepts.
#[derive(Debug)]
pub struct Range<'a> {
    /// Type without parameters, such as "application/json".
    pub media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters = parts.filter_map(|part| part.split_once('=')).map(|(key, value)| (key.trim(), value.trim()));
        Self { media_type, parameters: parameters.collect() }
    }

    /// Returns the value of a parameter; empty if it is missing.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &'a str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    fn quality(&self) -> f32 {
        self.parameter("q").parse().unwrap_or(1.0)
    }
}

/// Returns the types that a client accepts, best first.
#[must_use]
pub fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    let texts = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<Range<'_>> =
        texts.flat_map(|text| text.split(',')).map(str::trim).filter(|t| !t.is_empty()).map(Range::parse).collect();
    ranges.sort_by(|one, other| other.quality().total_cmp(&one.quality()));
    ranges
}

impl Format {
    /// Returns the first accepted format that the server supports.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        let ranges = ranges(headers);
        if ranges.is_empty() {
            return Ok(Self { encoding: Encoding::Json, shape: Shape::Objects });
        }
        ranges
            .iter()
            .find_map(Self::of)
            .ok_or_else(|| Error::not_acceptable(&Encoding::ALL.map(Encoding::content_type)))
    }

    /// The same for objects that have no protobuf form.
    pub fn negotiate_text(headers: &HeaderMap) -> Result<Self, Error> {
        let is_text = |format: &Self| format.encoding != Encoding::Protobuf;
        ranges(headers)
            .iter()
            .filter_map(Self::of)
            .find(is_text)
            .ok_or_else(|| Error::not_acceptable(&[Encoding::Json, Encoding::Yaml].map(Encoding::content_type)))
    }

    fn of(range: &Range<'_>) -> Option<Self> {
        let encoding = Encoding::parse(range.media_type)?;
        let shape = match range.parameter("as") {
            "" => Shape::Objects,
            "Table" => Shape::Table,
            "PartialObjectMetadata" | "PartialObjectMetadataList" => Shape::Metadata,
            _ => return None,
        };
        let known = match shape {
            Shape::Objects => true,
            // Only in JSON and YAML. Clients that prefer protobuf name JSON next.
            Shape::Table | Shape::Metadata => range.parameter("g") == "meta.k8s.io" && encoding != Encoding::Protobuf,
        };
        let version = matches!(range.parameter("v"), "" | "v1");
        (known && (version || shape == Shape::Objects)).then_some(Self { encoding, shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: &str) -> Option<(Encoding, Shape)> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        Format::negotiate(&headers).ok().map(|format| (format.encoding, format.shape))
    }

    #[test]
    fn the_first_that_can_be_given_is_given() {
        for (accept, expected) in [
            ("*/*", (Encoding::Json, Shape::Objects)),
            ("application/yaml", (Encoding::Yaml, Shape::Objects)),
            (
                "text/html, application/json;q=0.5, application/vnd.kubernetes.protobuf",
                (Encoding::Protobuf, Shape::Objects),
            ),
            ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", (Encoding::Json, Shape::Table)),
            ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", (Encoding::Json, Shape::Objects)),
            ("application/json;as=Chart;v=v1;g=meta.k8s.io,application/json", (Encoding::Json, Shape::Objects)),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,\
                 application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                (Encoding::Json, Shape::Metadata),
            ),
        ] {
            assert_eq!(negotiated(accept), Some(expected), "{accept}");
        }
        assert_eq!(negotiated("text/html"), None);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, "application/vnd.kubernetes.protobuf,application/json".parse().unwrap());
        assert_eq!(Format::negotiate_text(&headers).unwrap().encoding, Encoding::Json);
        headers.insert(ACCEPT, "application/vnd.kubernetes.protobuf".parse().unwrap());
        assert!(Format::negotiate_text(&headers).is_err());
        assert_eq!(Format::negotiate(&HeaderMap::new()).unwrap().encoding, Encoding::Json);
    }
}
