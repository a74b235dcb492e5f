//! What `cargo metadata` says about the workspace: the part of it that the checks need.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};

#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
    pub(crate) workspace_root: PathBuf,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) manifest_path: PathBuf,
    id: String,
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    pub(crate) kind: Option<Kind>,
    optional: bool,
}

/// Cargo writes `null` for an ordinary dependency.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Build,
    Dev,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
    features: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<Kind>,
}

impl Metadata {
    /// Of this machine's platform only: the crates of others need not be downloaded for a check.
    pub(crate) fn load() -> Result<Self> {
        let host = host_triple()?;
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--filter-platform", &host])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        ensure!(output.status.success(), "cargo metadata failed");
        Self::parse(&output.stdout)
    }

    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("cargo metadata has an unknown form")
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The names of everything that is linked into `package`. Development dependencies are not:
    /// what only a test uses does not reach a user.
    pub(crate) fn linked_into<'a>(&'a self, package: &'a Package) -> BTreeSet<&'a str> {
        let linked = |edge: &Edge| edge.dep_kinds.iter().any(|edge| edge.kind != Some(Kind::Dev));
        self.reached(vec![&package.id], linked)
    }

    /// The names of every crate that some member builds, tests included.
    pub(crate) fn built(&self) -> BTreeSet<&str> {
        self.reached(self.workspace_members.iter().map(String::as_str).collect(), |_| true)
    }

    fn reached<'a>(
        &'a self,
        mut waiting: Vec<&'a str>,
        follow: impl Fn(&Edge) -> bool,
    ) -> BTreeSet<&'a str> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let packages: BTreeMap<&str, &Package> =
            self.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let mut reached = BTreeMap::new();
        while let Some(id) = waiting.pop() {
            let (Some(node), Some(package)) = (nodes.get(id), packages.get(id)) else { continue };
            for edge in node.deps.iter().filter(|edge| follow(edge)) {
                let Some(next) = packages.get(edge.pkg.as_str()) else { continue };
                if package.switches_on(&next.name, &node.features)
                    && reached.insert(edge.pkg.as_str(), next.name.as_str()).is_none()
                {
                    waiting.push(&edge.pkg);
                }
            }
        }
        reached.into_values().collect()
    }
}

impl Package {
    /// Cargo also lists optional dependencies that only a weak feature (`name?/feature`) names:
    /// those are not built.
    fn switches_on(&self, dependency: &str, features: &[String]) -> bool {
        let mut named = self.dependencies.iter().filter(|dep| dep.name == dependency);
        named.any(|dep| {
            let name = dep.rename.as_ref().unwrap_or(&dep.name).as_str();
            let names_it = |value: &String| {
                let value = value.strip_prefix("dep:").unwrap_or(value);
                value == name || value.strip_prefix(name).is_some_and(|v| v.starts_with('/'))
            };
            let values = |feature: &String| self.features.get(feature).into_iter().flatten();
            !dep.optional || features.iter().any(|f| f == name || values(f).any(names_it))
        })
    }
}

/// The cargo that started this program, so that a toolchain override holds for its children.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn host_triple() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A workspace whose members are `crates`, each with its linked and development dependencies.
    pub(crate) fn workspace(crates: &[(&str, &[&str], &[&str])]) -> Metadata {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for (name, linked, dev) in crates {
            names.insert(name);
            names.extend(linked.iter().chain(*dev));
        }
        let edges = |name: &str| -> Vec<(&str, Value)> {
            let found = crates.iter().find(|(member, ..)| *member == name);
            found.map_or(Vec::new(), |(_, linked, dev)| {
                let linked = linked.iter().map(|dep| (*dep, Value::Null));
                linked.chain(dev.iter().map(|dep| (*dep, json!("dev")))).collect()
            })
        };
        let package = |name: &&str| {
            let dependencies: Vec<Value> = edges(name)
                .into_iter()
                .map(|(dep, kind)| {
                    json!({ "name": dep, "rename": null, "kind": kind, "optional": false })
                })
                .collect();
            json!({ "name": name, "id": name, "dependencies": dependencies,
                "features": {}, "manifest_path": format!("/tree/crates/{name}/Cargo.toml") })
        };
        let node = |name: &&str| {
            let deps: Vec<Value> = edges(name)
                .into_iter()
                .map(|(dep, kind)| json!({ "pkg": dep, "dep_kinds": [{ "kind": kind }] }))
                .collect();
            json!({ "id": name, "deps": deps, "features": [] })
        };
        let document = json!({
            "packages": names.iter().map(package).collect::<Vec<_>>(),
            "target_directory": "/tree/target",
            "workspace_root": "/tree",
            "workspace_members": crates.iter().map(|(name, ..)| name).collect::<Vec<_>>(),
            "resolve": { "nodes": names.iter().map(node).collect::<Vec<_>>() },
        });
        Metadata::parse(document.to_string().as_bytes()).expect("the shape above is cargo's")
    }

    #[test]
    fn linked_follows_ordinary_edges_only() {
        let metadata = workspace(&[("a", &["b"], &["t"]), ("b", &["c"], &[]), ("t", &["u"], &[])]);
        let a = metadata.members().find(|package| package.name == "a").expect("a member");
        assert_eq!(metadata.linked_into(a), BTreeSet::from(["b", "c"]));
        assert_eq!(metadata.built(), BTreeSet::from(["b", "c", "t", "u"]));
    }

    #[test]
    fn weak_features_build_nothing() {
        let package: Package = serde_json::from_value(json!({
            "name": "webpki", "id": "webpki", "manifest_path": "/tree/Cargo.toml",
            "dependencies": [{ "name": "ring", "rename": null, "kind": null, "optional": true }],
            "features": { "alloc": ["ring?/alloc"], "fast": ["dep:ring"], "more": ["ring/std"] },
        }))
        .expect("the shape above is cargo's");
        let on = |feature: &str| package.switches_on("ring", &[feature.to_owned()]);
        assert_eq!((on("alloc"), on("fast"), on("more"), on("ring")), (false, true, true, true));
    }

    #[test]
    fn foreign_documents_are_refused() {
        assert!(Metadata::parse(b"{\"packages\": []}").is_err());
    }
}
