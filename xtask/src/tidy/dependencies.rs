//! Who may depend on whom, and on how many.

use crate::finding::Finding;
use crate::metadata::{Kind, Metadata, Package};

/// What a crate may use of this workspace. A crate that is not listed may use nothing: a new
/// crate states its place here.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("keywright-jose", &[]),
    ("keywright-protocol", &["keywright-jose"]),
    ("keywright-store", &["keywright-jose", "keywright-protocol"]),
    ("keywright-resource", &["keywright-jose", "keywright-protocol"]),
    ("keywright-client", &["keywright-jose", "keywright-protocol"]),
    ("keywright-server", &["keywright-jose", "keywright-protocol", "keywright-store"]),
    ("keywright-gateway", &["keywright-jose", "keywright-protocol", "keywright-resource"]),
    (
        "keywright",
        &[
            "keywright-client",
            "keywright-gateway",
            "keywright-jose",
            "keywright-protocol",
            "keywright-resource",
            "keywright-server",
            "keywright-store",
        ],
    ),
    // The floor that it measures against: one signature.
    ("keywright-benches", &["keywright-jose"]),
    // The server in one thread: it is the product that it runs, so it links the product. That it
    // has a package of its own is what keeps the black box below from doing the same.
    (
        "keywright-sim",
        &["keywright-jose", "keywright-protocol", "keywright-server", "keywright-store"],
    ),
    // Black box: it knows only what an outsider knows.
    ("keywright-tests", &[]),
    // What must hold of every parser, as fuzzing and its own tests see them.
    ("keywright-parsers", &["keywright-jose", "keywright-protocol", "keywright-server"]),
    ("xtask", &[]),
];

/// Crates of values and pure functions, and what may never be linked into them, at any depth.
const PURE: &[&str] = &["keywright-jose", "keywright-protocol"];
const IMPURE: &[&str] = &[
    "axum",
    "diesel",
    "http",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "postgres",
    "rand",
    "redis",
    "reqwest",
    "rusqlite",
    "sqlx",
    "tokio",
    "tokio-postgres",
];

/// Nowhere, not even in a test: aws-lc-rs is the one source of cryptography. `deny.toml` says
/// the same where cargo-deny is installed.
const BANNED: &[&str] = &["native-tls", "openssl", "openssl-sys", "ring"];

/// How many crates a crate may name as ordinary dependencies. Raised by a decision record only.
const BUDGETS: &[(&str, usize)] = &[
    ("keywright-client", 15),
    ("keywright-protocol", 10),
    ("keywright-resource", 15),
    ("keywright-server", 45),
    ("xtask", 3),
];

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        directions(metadata, package, &mut findings);
        purity(metadata, package, &mut findings);
        budget(metadata, package, &mut findings);
    }
    for banned in metadata.built().into_iter().filter(|name| BANNED.contains(name)) {
        let what = format!("{banned} is in the dependency graph");
        let remedy = format!("find it with `cargo tree -i {banned}` and switch it off");
        findings.push(Finding::new("Cargo.toml", 1, what, remedy));
    }
    findings
}

fn directions(metadata: &Metadata, package: &Package, findings: &mut Vec<Finding>) {
    let listed = DIRECTIONS.iter().find(|(name, _)| *name == package.name);
    let allowed = listed.map_or(&[] as &[&str], |(_, allowed)| allowed);
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let ours = metadata.members().any(|member| member.name == name);
        if ours && !allowed.contains(&name) {
            let what = format!("{} may not depend on {name}", package.name);
            let remedy = "move the code to the side that may know the other";
            findings.push(Finding::new(&manifest(metadata, package), 1, what, remedy));
        }
    }
}

fn purity(metadata: &Metadata, package: &Package, findings: &mut Vec<Finding>) {
    if !PURE.contains(&package.name.as_str()) {
        return;
    }
    for linked in metadata.linked_into(package) {
        if IMPURE.contains(&linked) {
            let what = format!("{} links {linked}", package.name);
            let remedy = "it is pure: pass the value in as an argument";
            findings.push(Finding::new(&manifest(metadata, package), 1, what, remedy));
        }
    }
}

fn budget(metadata: &Metadata, package: &Package, findings: &mut Vec<Finding>) {
    let Some((_, limit)) = BUDGETS.iter().find(|(name, _)| *name == package.name) else {
        return;
    };
    let direct = package.dependencies.iter().filter(|dep| dep.kind != Some(Kind::Dev)).count();
    if direct > *limit {
        let what = format!("{direct} direct dependencies, {limit} allowed");
        let remedy = "drop one, or raise the budget with a decision record";
        findings.push(Finding::new(&manifest(metadata, package), 1, what, remedy));
    }
}

/// The manifest's path from the root.
pub(super) fn manifest(metadata: &Metadata, package: &Package) -> String {
    let path = package.manifest_path.strip_prefix(&metadata.workspace_root);
    path.unwrap_or(&package.manifest_path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::workspace;

    fn messages(crates: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        check(&workspace(crates)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_allowed_directions_pass() {
        let good = messages(&[
            ("keywright-jose", &["aws-lc-rs"], &["proptest"]),
            ("keywright-protocol", &["keywright-jose"], &[]),
            ("keywright-store", &["keywright-protocol", "tokio"], &[]),
            ("keywright-server", &["keywright-store"], &[]),
            ("keywright", &["keywright-server"], &[]),
        ]);
        assert_eq!(good, Vec::<String>::new());
    }

    #[test]
    fn a_turned_arrow_is_found() {
        let bad = messages(&[("keywright-jose", &["xtask"], &[]), ("xtask", &[], &[])]);
        let want = "crates/keywright-jose/Cargo.toml:1: keywright-jose may not depend on xtask; \
            move the code to the side that may know the other";
        assert_eq!(bad, [want]);
    }

    #[test]
    fn impurity_is_found_at_any_depth_but_not_in_tests() {
        let deep: &[(&str, &[&str], &[&str])] =
            &[("keywright-protocol", &["uuid"], &[]), ("uuid", &["rand"], &[])];
        assert!(messages(deep).iter().any(|m| m.contains("keywright-protocol links rand")));
        let dev: &[(&str, &[&str], &[&str])] = &[("keywright-protocol", &[], &["rand"])];
        assert_eq!(messages(dev), Vec::<String>::new());
    }

    #[test]
    fn budgets_and_bans_hold() {
        let four: &[(&str, &[&str], &[&str])] = &[("xtask", &["a", "b", "c", "d"], &[])];
        assert!(messages(four).iter().any(|m| m.contains("4 direct dependencies, 3 allowed")));
        let three: &[(&str, &[&str], &[&str])] = &[("xtask", &["a", "b", "c"], &["d"])];
        assert_eq!(messages(three), Vec::<String>::new());
        let ring: &[(&str, &[&str], &[&str])] = &[("keywright-tests", &[], &["ring"])];
        assert!(messages(ring).iter().any(|m| m.contains("ring is in the dependency graph")));
    }
}
