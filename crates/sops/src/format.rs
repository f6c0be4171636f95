//! File formats.

use std::fmt;

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML, one or several documents.
    Yaml,
    /// One JSON object.
    Json,
    /// Lines `NAME=value`.
    Dotenv,
    /// Sections of lines `name = value`.
    Ini,
    /// Any bytes; encrypted, a JSON object that holds them.
    Binary,
}

impl Format {
    /// The format Flux takes a file for by its name: `.yaml`, `.yml`, `.json`, `.env`, `.ini`,
    /// `.dockerconfigjson`, anything else is binary.
    pub fn of_path(path: &str) -> Self {
        let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| path.ends_with(suffix));
        if ends(&[".yaml", ".yml"]) {
            Self::Yaml
        } else if ends(&[".json", ".dockerconfigjson"]) {
            Self::Json
        } else if ends(&[".env"]) {
            Self::Dotenv
        } else if ends(&[".ini"]) {
            Self::Ini
        } else {
            Self::Binary
        }
    }

    /// What an encrypted document of this format holds somewhere; without it, Flux leaves a file
    /// as it is.
    pub fn marker(self) -> &'static str {
        match self {
            Self::Binary | Self::Json => "\"mac\": \"ENC[",
            Self::Dotenv => "sops_mac=ENC[",
            Self::Ini => "[sops]",
            Self::Yaml => "mac: ENC[",
        }
    }

    /// Whether `data` holds the marker of this format.
    pub fn marks(self, data: &[u8]) -> bool {
        let marker = self.marker().as_bytes();
        data.windows(marker.len()).any(|window| window == marker)
    }

    /// The format whose marker `data` holds, if it holds one.
    pub fn detect(data: &[u8]) -> Option<Self> {
        let formats = [Self::Binary, Self::Dotenv, Self::Ini, Self::Yaml];
        formats.into_iter().find(|format| format.marks(data))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "INI",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        })
    }
}
