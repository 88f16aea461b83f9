//! What a client wants to get: the encoding, and the shape. Pure.

use http::HeaderMap;
use http::header::ACCEPT;
use squall_api::Error;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf.
    Protobuf,
}

/// What of the objects is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// They themselves.
    Objects,
    /// Their rows in a table.
    Table,
    /// Their metadata.
    Metadata,
}

/// An encoding and a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How it is written.
    pub encoding: Encoding,
    /// What is told.
    pub shape: Shape,
}

impl Encoding {
    /// The content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }

    /// Of a content type, without its parameters.
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
    /// "application/json".
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

    /// The value of a parameter; empty if it has none.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &'a str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    fn quality(&self) -> f32 {
        self.parameter("q").parse().unwrap_or(1.0)
    }
}

/// The types that a client accepts, the best first.
#[must_use]
pub fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    let texts = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let mut ranges: Vec<Range<'_>> =
        texts.flat_map(|text| text.split(',')).map(str::trim).filter(|t| !t.is_empty()).map(Range::parse).collect();
    ranges.sort_by(|one, other| other.quality().total_cmp(&one.quality()));
    ranges
}

impl Format {
    /// The first of what the client accepts that the server can give.
    pub fn negotiate(headers: &HeaderMap) -> Result<Self, Error> {
        let ranges = ranges(headers);
        if ranges.is_empty() {
            return Ok(Self { encoding: Encoding::Json, shape: Shape::Objects });
        }
        ranges.iter().find_map(Self::of).ok_or_else(|| {
            let supported = [Encoding::Json, Encoding::Yaml, Encoding::Protobuf].map(Encoding::content_type);
            Error::not_acceptable(&supported)
        })
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
            // In JSON and YAML only: clients that would like them in protobuf name JSON next.
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
        assert_eq!(Format::negotiate(&HeaderMap::new()).unwrap().encoding, Encoding::Json);
    }
}
