//! `cargo xtask tidy`: what the compiler and clippy cannot see, as findings with a remedy.

mod dependencies;
mod exposures;
mod links;
mod locks;
mod manifest;
mod ratchet;
mod receipts;
mod sizes;
mod words;

use crate::Verdict;
use crate::finding::{self, Finding};
use crate::metadata::Metadata;
use crate::rfc;
use crate::tree::Tree;
use anyhow::Result;

pub(crate) fn run() -> Result<Verdict> {
    let metadata = Metadata::load()?;
    let tree = Tree::open(&metadata.workspace_root)?;
    let findings = findings(&metadata, &tree)?;
    eprintln!("tidy: {} files, {} findings", tree.files().count(), findings.len());
    Ok(finding::report(findings))
}

/// `cargo xtask tidy --exposures`: every place where a secret leaves its wrapper, for review.
pub(crate) fn list_exposures() -> Result<Verdict> {
    let metadata = Metadata::load()?;
    let tree = Tree::open(&metadata.workspace_root)?;
    for line in exposures::list(&tree)? {
        println!("{line}");
    }
    Ok(Verdict::Clean)
}

fn findings(metadata: &Metadata, tree: &Tree) -> Result<Vec<Finding>> {
    let mut findings = dependencies::check(metadata);
    findings.extend(manifest::check(metadata, tree)?);
    findings.extend(locks::check(tree)?);
    findings.extend(sizes::check(tree)?);
    findings.extend(words::check(tree)?);
    findings.extend(receipts::check(tree)?);
    findings.extend(links::check(tree)?);
    findings.extend(rfc::stale(tree)?);
    Ok(findings)
}
