//! `keywright bench` against the real server: every scenario measures something, and what is wrong
//! is said before anything is measured.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cli::Output;
use crate::support::server::program;
use crate::support::wait;
use crate::support::world::{web_metadata, with};
use crate::support::{API, Client, World};

/// A second at a low rate.
const SHORT: [&str; 8] =
    ["--rate", "40", "--duration", "1s", "--warmup", "0s", "--connections", "4"];

/// A world with a client that may do everything.
struct Bench {
    world: World,
    client: Client,
}

impl Bench {
    fn start() -> Self {
        let world = World::start();
        let grants = ["authorization_code", "refresh_token", "client_credentials"];
        let metadata = with(web_metadata(), &json!({ "grant_types": grants }));
        let client = world.server.client(&metadata);
        Self { world, client }
    }

    /// `bench SCENARIO ..` for a second, by the client; with a password also by the person.
    fn run(&self, scenario: &str, args: &[&str], password: Option<&str>) -> Output {
        self.run_for(scenario, &[&SHORT, args].concat(), password)
    }

    fn run_for(&self, scenario: &str, args: &[&str], password: Option<&str>) -> Output {
        let issuer = self.world.server.issuer.as_str();
        let fixed = ["bench", scenario, "--issuer", issuer, "--client-id", &self.client.id];
        let secret = ["--client-secret", self.client.secret()];
        let person = [
            "--username",
            self.world.alice.username.as_str(),
            "--redirect-uri",
            &self.client.redirect_uri,
            "--password-stdin",
        ];
        let person = if password.is_some() { &person[..] } else { &[] };
        let args = [&fixed[..], &secret, person, args].concat();
        self.world.server.program(&args, password.unwrap_or_default())
    }

    fn run_as_alice(&self, scenario: &str, args: &[&str]) -> Output {
        self.run(scenario, args, Some(&self.world.alice.password))
    }
}

#[track_caller]
fn expect_clean(report: &Value) {
    let requests = &report["requests"];
    assert!(requests["ok"].as_u64().is_some_and(|ok| ok > 0), "{report}");
    assert_eq!(requests["errors"], json!({}), "{report}");
    assert_eq!(requests["due"], requests["ok"], "every turn is accounted for: {report}");
    assert!(report["latency_us"]["p50"].as_u64().is_some_and(|p50| p50 > 0), "{report}");
}

fn steps(report: &Value) -> Vec<&str> {
    report["steps"].as_object().expect("steps").keys().map(String::as_str).collect()
}

#[test]
fn scenarios_of_a_client_alone_succeed() {
    let bench = Bench::start();
    for (scenario, want) in [
        ("client-credentials", &["client-credentials"][..]),
        ("discovery", &["discovery"]),
        ("introspect", &["introspect"]),
        ("jwks", &["jwks"]),
        ("revoke", &["client-credentials", "revoke"]),
        ("token-mixed", &["client-credentials", "introspect"]),
    ] {
        let args = ["--json", "--scope", "orders:read", "--resource", API];
        let report = bench.run(scenario, &args, None).json();
        expect_clean(&report);
        assert_eq!(report["scenario"], scenario);
        assert_eq!(steps(&report), want, "{report}");
    }
}

#[test]
fn a_person_signs_in_once_and_runs_whole_flows() {
    let bench = Bench::start();
    let report = bench.run_as_alice("code", &["--json"]).json();
    expect_clean(&report);
    // Signed in and consented before: a turn is the request and the redemption, no page between.
    assert_eq!(steps(&report), ["authorize", "redeem"], "{report}");
    let logins = bench.world.server.cli(&["session", "list"]).items();
    assert_eq!(logins.len(), 4, "one sign-in for each of four browsers: {logins:?}");
    let report = bench.run_as_alice("refresh", &["--json"]).json();
    expect_clean(&report);
    assert_eq!(steps(&report), ["refresh"], "RFC6749-6: {report}");
}

#[test]
fn mixed_does_what_the_credentials_allow() {
    let bench = Bench::start();
    let report = bench.run_as_alice("mixed", &["--json"]).json();
    expect_clean(&report);
    let all = [
        "authorize",
        "client-credentials",
        "discovery",
        "introspect",
        "jwks",
        "redeem",
        "refresh",
        "revoke",
    ];
    assert_eq!(steps(&report), all, "{report}");
    assert_eq!(report["left_out"], Value::Null);
    let alone = bench.run("mixed", &["--json"], None).json();
    expect_clean(&alone);
    assert!(!steps(&alone).contains(&"authorize"), "{alone}");
    let left_out = alone["left_out"].as_array().expect("what is left out is said");
    assert_eq!(left_out.len(), 2, "{left_out:?}");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_measured() {
    let bench = Bench::start();
    let issuer = bench.world.server.issuer.clone();
    let wrong = ["--client-id", &bench.client.id, "--client-secret", "wrong"];
    for scenario in ["client-credentials", "introspect", "mixed", "revoke"] {
        let args = [&["bench", scenario, "--issuer", &issuer], &wrong[..]].concat();
        let refused = bench.world.server.program(&args, "");
        refused.expect_status(1);
        assert!(refused.stderr.contains("invalid_client"), "{}", refused.stderr);
        assert_eq!(refused.stdout, "");
    }
    let refused = bench.run("code", &[], Some("not-her-password"));
    refused.expect_status(1);
    assert!(refused.stderr.contains("the sign-in was refused"), "{}", refused.stderr);
    let refused = bench.run_as_alice("code", &["--scope", "openid nonsense"]);
    refused.expect_status(1);
    assert!(refused.stderr.contains("invalid_scope"), "{}", refused.stderr);
    bench.run("code", &[], None).expect_status(2);
    bench.run("no-such-scenario", &[], None).expect_status(2);
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let bench = Bench::start();
    let nobody = format!("http://{}", crate::support::server::free_address());
    let gone = bench.world.server.program(&["bench", "jwks", "--issuer", &nobody], "");
    gone.expect_status(3);
    assert!(gone.stderr.contains(&nobody), "{}", gone.stderr);
    bench.run("jwks", &[], None).expect_status(0);
}

#[test]
fn servers_take_turns_and_stand_in_one_table() {
    let bench = Bench::start();
    let chart = bench.world.server.folder.join("chart.svg");
    let targets = bench.world.server.folder.join("targets.toml");
    let target = |name: &str| {
        let (issuer, client) = (&bench.world.server.issuer, &bench.client);
        format!(
            "[[target]]\nname = \"{name}\"\nissuer = \"{issuer}\"\nclient_id = \"{}\"\n\
             client_secret = \"env:BENCH_SECRET\"\n",
            client.id
        )
    };
    std::fs::write(&targets, target("left") + &target("right")).expect("writable");
    let mut command = Command::new(program());
    command.args(["bench", "client-credentials", "--rounds", "2"]).args(SHORT);
    command.arg("--targets").arg(&targets).arg("--svg").arg(&chart);
    command.env("BENCH_SECRET", bench.client.secret());
    let text = command.output().expect("the program starts");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let rows = text.lines().filter(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("left" | "right")) && words.count() == 7
    });
    assert_eq!(rows.count(), 2, "{text}");
    let drawn = std::fs::read_to_string(&chart).expect("the chart");
    assert!(drawn.contains(">left<") && drawn.contains(">right<"), "{drawn}");
    assert!(drawn.contains("prefers-color-scheme: dark"), "{drawn}");
    let json = command.arg("--json").output().expect("the program starts").stdout;
    let json: Value = serde_json::from_slice(&json).expect("one document");
    for (at, name) in ["left", "right"].into_iter().enumerate() {
        assert_eq!(json["items"][at]["name"], name);
        assert_eq!(json["items"][at]["rounds"], 2);
        expect_clean(&json["items"][at]);
    }
}

#[test]
fn a_ramp_ends_with_the_highest_rate_that_was_held() {
    let bench = Bench::start();
    // Some step offers more than two connections can carry, so that the search must come back.
    let steps = ["--rate", "200", "--duration", "500ms", "--warmup", "0s", "--connections", "2"];
    let args = [&steps[..], &["--ramp", "--max-p99", "500ms", "--json"]].concat();
    let report = bench.run_for("jwks", &args, None).json();
    let ramp = &report["ramp"];
    let steps = ramp["steps"].as_array().expect("steps");
    let rate = |verdict: &dyn Fn(&str) -> bool| {
        let found = steps.iter().filter(|step| step["verdict"].as_str().is_some_and(verdict));
        found.filter_map(|step| step["offered"].as_f64()).reduce(f64::max)
    };
    let held = rate(&|verdict| verdict == "sustained");
    assert!(held.is_some(), "{report}");
    assert_eq!(ramp["sustained_rate"].as_f64(), held, "{report}");
    assert_eq!(report["rate"]["offered"].as_f64(), held, "the report is about that rate");
    assert!(rate(&|verdict| verdict != "sustained") >= Some(200.0), "{report}");
}

#[test]
fn an_interruption_keeps_what_was_measured() {
    let bench = Bench::start();
    let ops = format!("{}/metrics", bench.world.server.ops);
    let mut command = Command::new(program());
    command.args(["bench", "client-credentials", "--issuer", &bench.world.server.issuer]);
    command.args(["--client-id", &bench.client.id, "--duration", "1h", "--warmup", "0s", "--json"]);
    command.env("KEYWRIGHT_CLIENT_SECRET", bench.client.secret());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let patience = Duration::from_secs(30);
    wait::until_true(patience, "it has got some tokens", || {
        let text = crate::support::Request::get(&ops).send().text();
        let issued = text.lines().find(|line| {
            line.starts_with("keywright_tokens_issued_total{")
                && line.contains("client_credentials")
        });
        let count = issued.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        count.is_some_and(|count| count >= 20.0)
    });
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill exists");
    assert!(sent.success());
    let status = wait::until_or_kill(patience, &mut child);
    assert_eq!(status.code(), Some(0));
    let output = std::io::read_to_string(child.stdout.take().expect("piped")).expect("text");
    let report: Value = serde_json::from_str(&output).expect("one document");
    assert_eq!(report["interrupted"], true);
    assert!(report["requests"]["ok"].as_u64().is_some_and(|ok| ok >= 10), "{report}");
}
