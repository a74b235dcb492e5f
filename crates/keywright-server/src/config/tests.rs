//! The configuration as a whole.

use std::time::Duration;

use keywright_jose::base64url::base64url_decode;

use super::setting::{Effect, Fallback};
use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/k/keywright.toml"), [])
}

fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let owned = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Config::parse(text, Path::new("keywright.toml"), owned)
}

fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn without_a_file_everything_is_on_loopback() {
    let config = Config::parse("", Path::new("keywright.toml"), []).expect("the defaults");
    assert_eq!(config.issuer, "http://127.0.0.1:8080");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.ops_listen.to_string(), "127.0.0.1:9080");
    assert!(config.server.trusted_proxies.is_empty() && config.tls.is_none());
    assert_eq!(config.store.url, StoreUrl::Sqlite("data/keywright.db".into()));
    assert_eq!(config.keys.master.to_string(), "file:data/master.key");
    assert_eq!(config.keys.announce, Duration::from_hours(14 * 24));
    assert_eq!(config.tokens.access_lifetime, Duration::from_mins(10));
    assert_eq!(config.tokens.code_lifetime, Duration::from_mins(1));
    assert_eq!(config.audit.issuance, Issuance::Durable);
    assert!(config.limits.password_threads >= 1);
    assert_eq!(config.limits.login_failures_per_account, 10);
    assert_eq!(config.telemetry.log, LogFormat::Text);
}

#[test]
fn what_init_writes_is_the_defaults() {
    let template = Config::template();
    let read = parse(&template).expect("valid");
    assert_eq!(format!("{read:?}"), format!("{:?}", parse("").expect("the defaults")));
    assert!(template.lines().all(|line| line.chars().count() <= 100), "{template}");
    let uncommented: Vec<&str> = template
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .filter(|line| !line.starts_with("development"))
        .collect();
    let read = parse(&uncommented.join("\n")).expect("every line is right as it stands");
    assert_eq!(read.issuer, "https://id.example.com");
}

#[test]
fn the_reference_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    if std::env::var_os("KEYWRIGHT_TEST_WRITE").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        fs::write(&path, reference()).expect("writable");
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    let renew = "KEYWRIGHT_TEST_WRITE=1 cargo test -p keywright-server the_reference_is_fresh";
    assert!(page == reference(), "docs/reference/configuration.md is old; run: {renew}");
}

/// Every row of the table is read by somebody: a value of the wrong kind is noticed.
#[test]
fn every_setting_is_read() {
    for (section, setting) in setting::all() {
        let wrong = match setting.fallback {
            Fallback::EmptyList => "7",
            _ => "[]",
        };
        let head = if section.name.is_empty() { "" } else { &format!("[{}]\n", section.name) };
        let other = match setting.name {
            "certificate" => "key = \"a\"\n",
            "key" => "certificate = \"a\"\n",
            _ => "",
        };
        let text = format!("{head}{other}{} = {wrong}\n", setting.name);
        let message = error(&text);
        assert!(message.contains(&section.full_name(setting.name)), "{message}");
        assert!(message.contains("/etc/k/keywright.toml:"), "{message}");
    }
}

#[test]
fn errors_say_where_and_what_to_do() {
    let cases = [
        ("\n\nacces = 1", ":3: there is no setting acces; the nearest is "),
        (
            "[tokens]\nacces_lifetime = \"5m\"",
            ":2: there is no setting tokens.acces_lifetime; the nearest is tokens.access_lifetime",
        ),
        ("[token]\nx = 1", ":1: there is no table [token]; the nearest is [tokens]"),
        ("listen = \"127.0.0.1:1\"", "the nearest is server.listen"),
        (
            "[tokens]\npar_lifetime = \"90s\"",
            ":2: tokens.par_lifetime is not built in this version",
        ),
        ("[tls]\nacme = { domains = [] }", ":2: tls.acme is not built in this version"),
        ("[registration]\nregistration = \"open\"", "registration is not built"),
        ("[revocation]\nsinks = [\"redis://h\"]", "not a list of tables"),
        ("[revocation]\nsinks = [{ kind = \"kafka\" }]", "there is no sink \"kafka\""),
        ("[revocation]\nsinks = [{ kind = \"redis\" }]", "a sink needs a url"),
        ("[revocation]\nsinks = [{ url = \"redis://h\" }]", "a sink needs a kind"),
        ("[revocation]\nsinks = [{ kind = \"redis\", url = 7 }]", "sinks cannot be a array"),
        (
            "[revocation]\nsinks = [{ kind = \"redis\", url = \"redis://h\", ttl = \"1\" }]",
            "a sink has no ttl",
        ),
        ("[revocation]\nsinks = [{ kind = \"redis\", url = \"h:1\" }]", "not one of Redis"),
        ("[revocation]\nsinks = [{ kind = \"redis\", url = \"rediss://h\" }]", "TLS"),
        ("tokens = 3", "tokens is a table; write [tokens]"),
        ("[tokens", ":1: this is not TOML"),
        ("issuer = 7", ":1: issuer: not a text; write it in quotation marks"),
        ("issuer = 7.5", ":1: issuer cannot be a float"),
        (
            "[tokens]\ncode_lifetime = \"1s\"",
            ":2: tokens.code_lifetime: \"1s\" is below the least, \"2s\"",
        ),
        ("[tokens]\ncode_lifetime = \"11m\"", "RFC 6749"),
        (
            "[tokens]\naccess_lifetime = \"soon\"",
            ":2: tokens.access_lifetime: \"soon\" is not a duration; write a whole number",
        ),
        ("[tokens]\naccess_lifetime = 600", "tokens.access_lifetime: not a text"),
        ("[limits]\nconnections = 0", "from 1 to 1000000"),
        ("[limits]\nconnections = \"10\"", "limits.connections: not a number"),
        ("[server]\ntrusted_proxies = [\"0.0.0.0/0\"]", "every address there is"),
        ("[server]\ntrusted_proxies = \"10.0.0.1\"", "not a list"),
        ("[server]\nlisten = \"127.0.0.1:9080\"", "the same address"),
        ("[server]\nlisten = \"0.0.0.0:8080\"", "set issuer"),
        ("[store]\nurl = \"postgres://db/k\"", "names no user"),
        ("[tls]\ncertificate = \"a\"", "set tls.key too"),
        ("[tls]\nkey = \"a\"", "set tls.certificate too"),
        ("[tls]\ncertificate = \"a\"\nkey = \"b\"\ndevelopment = true", "keep either"),
        ("[keys]\nrotate_every = \"2d\"\nannounce = \"3d\"", "at most keys.rotate_every"),
        ("[testing]\ndangerous_ciba_auto_approve = true", "not built"),
        ("[testing]\nfast = true", "there is no setting testing.fast"),
        ("issuer = \"http://id.example.com\"", "only loopback"),
        ("issuer = \"https://a.test\"\nissuer = \"https://b.test\"", ":2: this is not TOML"),
    ];
    for (text, want) in cases {
        assert!(error(text).contains(want), "{text:?}: {} lacks {want:?}", error(text));
    }
}

#[test]
fn their_neighbours_are_right() {
    let texts = [
        "[tokens]\ncode_lifetime = \"2s\"",
        "[tokens]\ncode_lifetime = \"10m\"",
        "[tokens]\nrefresh_absolute = \"4s\"",
        "[limits]\nconnections = 1",
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]",
        "issuer = \"https://id.example.com\"\n[server]\nlisten = \"0.0.0.0:8080\"",
        "[tls]\ncertificate = \"a\"\nkey = \"b\"",
        "[keys]\nrotate_every = \"2s\"",
        "[revocation]\nsinks = []",
        "[revocation]\nsinks = [{ kind = \"redis\", url = \"redis://:p@127.0.0.1:6379/1\" }]",
        "[revocation]\nsinks = [{ kind = \"redis\", url = \"file:redis.url\" }]",
        "[testing]",
        "tokens = { code_lifetime = \"5s\" }",
    ];
    for text in texts {
        parse(text).expect(text);
    }
}

#[test]
fn the_environment_lies_over_the_file() {
    let file = "[tokens]\naccess_lifetime = \"5m\"\n";
    let config = with_environment(
        file,
        &[
            ("KEYWRIGHT_ISSUER", "https://id.example.test"),
            ("KEYWRIGHT_TOKENS__ACCESS_LIFETIME", "3m"),
            ("KEYWRIGHT_SERVER__TRUSTED_PROXIES", "10.0.0.1, 10.1.0.0/16"),
            ("KEYWRIGHT_LIMITS__CONNECTIONS", "12"),
            ("KEYWRIGHT_REVOCATION__SINKS", "redis://127.0.0.1:1, env:REDIS"),
            ("KEYWRIGHT_TLS__DEVELOPMENT", "true"),
            ("KEYWRIGHT_BIN", "/bin/keywright"),
            ("KEYWRIGHT_TEST_OUTPUT", "/tmp/x"),
            ("KEYWRIGHT_CI_JOB", "1"),
            ("KEYWRIGHT_CLIENT_SECRET", "x"),
            ("KEYWRIGHT_TOKEN", "x"),
            ("PATH", "/bin"),
        ],
    );
    let config = config.expect("all are settings, or none of ours");
    assert_eq!(config.issuer, "https://id.example.test");
    assert_eq!(config.tokens.access_lifetime, Duration::from_mins(3), "CONTRACT-5");
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.limits.connections, 12);
    assert_eq!(config.revocation.sinks.len(), 2);
    let folder = PathBuf::from("data/tls");
    let host = "id.example.test".to_owned();
    assert_eq!(config.tls, Some(TlsConfig::Development { folder, host }));
}

#[test]
fn variables_that_are_no_settings_are_named() {
    for (variable, nearest) in [
        ("KEYWRIGHT_ISUER", "the nearest is KEYWRIGHT_ISSUER"),
        ("KEYWRIGHT_TOKENS", "the nearest is KEYWRIGHT_TOKENS__ACCESS_LIFETIME"),
        ("KEYWRIGHT_TOKENS__PAR_LIFETIME", "not built in this version"),
        ("KEYWRIGHT_LISTEN", "the nearest is KEYWRIGHT_SERVER__LISTEN"),
    ] {
        let message = with_environment("", &[(variable, "x")]).expect_err(variable).to_string();
        assert!(message.contains(variable) && message.contains(nearest), "{message}");
    }
    let broken = with_environment("", &[("KEYWRIGHT_LIMITS__CONNECTIONS", "many")]);
    let message = broken.expect_err("no number").to_string();
    assert!(message.starts_with("environment variable KEYWRIGHT_LIMITS__CONNECTIONS"), "{message}");
}

#[test]
fn paths_start_at_the_file() {
    let config = parse(
        "[tls]\ncertificate = \"tls/a.pem\"\nkey = \"/b.key\"\n[outbound]\n\
         extra_ca = [\"ca.pem\"]\n[keys]\nmaster = \"file:m.key\"\n\
         [store]\nurl = \"sqlite:d/k.db\"\n",
    );
    let config = config.expect("valid");
    let (certificate, key) = ("/etc/k/tls/a.pem".into(), "/b.key".into());
    assert_eq!(config.tls, Some(TlsConfig::Files { certificate, key }));
    assert_eq!(config.outbound.extra_ca, [PathBuf::from("/etc/k/ca.pem")]);
    assert_eq!(config.keys.master.to_string(), "file:/etc/k/m.key");
    assert_eq!(config.data_folder(), PathBuf::from("/etc/k/d"));
}

#[test]
fn no_secret_is_printed() {
    let config = parse("[keys]\nmaster = \"hunter2hunter2\"\n").expect("a literal");
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    let sinks = |url| format!("[revocation]\nsinks = [{{ kind = \"redis\", url = \"{url}\" }}]\n");
    let config = parse(&sinks("redis://:hunter2@h")).expect("an address");
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    let message = error(&sinks("redis://:hunter2@h:port"));
    assert!(!message.contains("hunter2"), "{message}");
    let config = parse("[keys]\nmaster = \"hunter2hunter2\"\n").expect("a literal");
    let error = config.keys.master_secret().expect_err("too short").to_string();
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn the_master_key_is_made_once_and_never_beside_a_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keywright.toml");
    let config = Config::parse("", &path, []).expect("the defaults");
    assert!(config.ensure_master_key(StoreAge::New).expect("made"), "the first start");
    assert!(!config.ensure_master_key(StoreAge::SetUp).expect("there"), "the second one");
    let secret = config.keys.master_secret().expect("long enough");
    assert_eq!(
        base64url_decode(std::str::from_utf8(&secret).expect("text")).map(|b| b.len()),
        Ok(32)
    );
    let file = folder.path().join("data/master.key");
    fs::remove_file(&file).expect("ours");
    let error = config.ensure_master_key(StoreAge::SetUp).expect_err("the store needs the old one");
    assert!(error.what.contains("missing") && !file.exists(), "{error}");
    let literal = Config::parse("[keys]\nmaster = \"env:M\"", &path, []).expect("valid");
    assert!(!literal.ensure_master_key(StoreAge::New).expect("nothing to make"));
}

#[test]
fn what_a_restart_needs_is_what_the_table_says() {
    let base = parse("").expect("the defaults");
    assert!(changes_needing_restart(&base, &base).is_empty());
    let changed = parse(
        "issuer = \"https://id.example.com\"\n[server]\nlisten = \"127.0.0.1:1\"\n\
         ops_listen = \"127.0.0.1:2\"\ntrusted_proxies = [\"::1\"]\n[tls]\ndevelopment = true\n\
         [store]\nurl = \"memory:\"\n[keys]\nmaster = \"env:M\"\nrotate_every = \"9d\"\n\
         announce = \"1d\"\n[tokens]\naccess_lifetime = \"9m\"\n[limits]\npassword_threads = 99\n\
         password_queue = 1\nsession_lifetime = \"1h\"\nconnections = 1\nrequest_timeout = \"1s\"\n\
         drain = \"1s\"\nlogin_failures_per_account = 1\nlogin_failures_per_address = 1\n\
         feed_followers = 1\nfeed_followers_per_address = 1\n[revocation]\n\
         sinks = [{ kind = \"redis\", url = \"redis://127.0.0.1\" }]\n\
         [outbound]\nextra_ca = [\"a\"]\nallow_addresses = [\"::1\"]\n\
         [telemetry]\nlog = \"json\"\nlevel = \"debug\"\n",
    );
    let told = changes_needing_restart(&base, &changed.expect("valid"));
    let listed: Vec<String> = setting::all()
        .filter(|(_, setting)| setting.effect == Effect::Restart)
        .map(|(section, setting)| section.full_name(setting.name))
        .collect();
    assert_eq!(told, listed);
}
