//! `keywright init`: a commented configuration to start from.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use keywright_server::Config;
use keywright_server::config::DEFAULT_FILE;

use super::Place;
use super::failure::Failure;
use super::output::Output;

pub(super) fn run(place: &Place) -> Result<(), Failure> {
    let path = place.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let shown = path.display();
    // `create_new`: what is there is somebody's work.
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::refused(format!("{shown} is there already"))
            .hint("move it away, or name another file with --config"),
        _ => Failure::refused(format!("{shown}: {error}")),
    })?;
    file.write_all(Config::template().as_bytes())?;
    let output = Output { json: place.json };
    let document = serde_json::json!({ "written": path });
    output.done(&document, &format!("wrote {shown}"))?;
    output.hint("next: edit it, then run `keywright serve`")
}
