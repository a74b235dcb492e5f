//! Nonsense from a seeded generator: whatever comes, the answer is never a fault of ours.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::http::try_exchange;
use crate::support::{Authorize, Browser, Server, World, wait};

/// A small generator (xorshift64*), so that a failure can be repeated from its seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("small")).expect("small")
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Changes, drops, doubles or inserts some bytes.
    fn bend(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail.into_iter().take(200));
                }
                _ => bytes.insert(at, *self.pick(b"%&=+;\0\r\n\"'<\\/ \xff\xc3{}[]().,:kw")),
            }
        }
    }
}

/// Whole requests, from which the noise is made.
fn originals(world: &World) -> Vec<Vec<u8>> {
    let server = &world.server;
    let tokens = world.sign_in(&world.web, "openid offline_access");
    let mut browser = Browser::default();
    let login = browser.open(&Authorize::new(server, &world.web).url());
    let flow = login.url.split('?').nth(1).unwrap_or_default().to_owned();
    let cookie = browser.jar.header("/").unwrap_or_default();
    let authorize = Authorize::new(server, &world.web).url();
    let authorize = authorize.strip_prefix(&server.issuer).expect("ours").to_owned();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let request = |method: &str, path: &str, headers: &str, body: &str| {
        let length = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}",
            server.authority()
        )
        .into_bytes()
    };
    let refresh = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh());
    let bearer = format!("Authorization: Bearer {}\r\n", tokens.access());
    let introspect = format!("token={}&client_id={}", tokens.access(), world.spa.id);
    let hint = format!("/logout?id_token_hint={}&state=x", tokens.id());
    let cookies = format!("Cookie: {cookie}\r\n");
    let typed = format!("{flow}&csrf=x&username=alice&password=some-password");
    vec![
        request("POST", "/token", form, &format!("{refresh}&client_id={}", world.spa.id)),
        request("POST", "/introspect", form, &introspect),
        request("POST", "/revoke", form, &introspect),
        request("GET", "/userinfo", &bearer, ""),
        request("GET", &authorize, &cookies, ""),
        request("GET", &format!("/login?{flow}"), &cookies, ""),
        request("POST", "/login", &format!("{form}{cookies}"), &typed),
        request("POST", "/consent", &format!("{form}{cookies}"), &typed),
        request("GET", &hint, &cookies, ""),
        request(
            "POST",
            "/api/v1/clients",
            &format!("{bearer}Content-Type: application/json\r\n"),
            "{}",
        ),
        request("GET", "/api/v1/users?limit=3&after=x", &bearer, ""),
        request("GET", "/t/acme/.well-known/openid-configuration", "", ""),
    ]
}

#[test]
fn nothing_makes_a_fault() {
    const SEED: u64 = 0x6b65_7977_7269_6768;
    let mut world = World::start();
    let originals = originals(&world);
    for original in &originals {
        let answer = try_exchange(world.server.authority(), original).expect("an answer");
        assert!(answer.status < 500, "unbent: {}", answer.text());
    }
    let mut noise = Noise(SEED);
    for round in 0..1500 {
        let mut bytes = noise.pick(&originals).clone();
        noise.bend(&mut bytes);
        // Half a request is answered by silence until its time is over: say that it is all.
        let Ok(answer) = quick_exchange(world.server.authority(), &bytes) else { continue };
        let shown = String::from_utf8_lossy(&bytes);
        assert!(answer < 500, "seed {SEED:x}, round {round}: {answer} for {shown}");
    }
    assert!(world.server.is_alive());
    world.server.client_credentials(&world.service, "orders:read");
    world.server.stop();
}

/// Sends, says that nothing more comes, and reads the status.
fn quick_exchange(authority: &str, bytes: &[u8]) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = String::from_utf8_lossy(&head[9..]).into_owned();
    status.parse().map_err(std::io::Error::other)
}

/// Slowloris: whoever sends half a request is sent away, and holds nobody else up meanwhile.
#[test]
fn half_requests_are_not_waited_for() {
    let server = Server::builder().set("limits", "request_timeout = \"1s\"").start();
    let world = World::in_server(server);
    let mut halves: Vec<TcpStream> = (0..100)
        .map(|n| {
            let mut stream = TcpStream::connect(world.server.authority()).expect("connected");
            let head = b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n";
            let body = b"Content-Type: application/x-www-form-urlencoded\r\n\r\ngrant";
            stream.write_all(head).expect("sent");
            if n % 2 == 0 {
                stream.write_all(body).expect("sent");
            }
            stream.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
            stream
        })
        .collect();
    world.server.client_credentials(&world.service, "orders:read");
    wait::until_true(Duration::from_secs(40), "all of them are sent away", || {
        halves.retain_mut(|stream| match stream.read(&mut [0; 4096]) {
            Ok(0) => false,
            Ok(_) => true,
            Err(e) => {
                matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        });
        halves.is_empty()
    });
    world.server.client_credentials(&world.service, "orders:read");
}
