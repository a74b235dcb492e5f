//! A network between a node and its database that can lose what it is given without saying so.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Hands on what it is given; dropping it ends every connection through it.
pub(crate) struct Network {
    port: u16,
    shared: Arc<Shared>,
}

/// What is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Loss {
    Nothing,
    /// What the connections that there are now carry; new ones work.
    OldConnections,
    /// The same of what the database says; what it is told arrives.
    OldAnswers,
    /// Everything, and what new connections carry as well.
    Everything,
}

struct Shared {
    /// Connections of an earlier number lose both ways, or one.
    lost_before: AtomicU32,
    answers_lost_before: AtomicU32,
    opened: AtomicU32,
    streams: Mutex<Vec<TcpStream>>,
}

impl Network {
    /// Leads to an address.
    pub(crate) fn to(address: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared {
            lost_before: AtomicU32::new(0),
            answers_lost_before: AtomicU32::new(0),
            opened: AtomicU32::new(0),
            streams: Mutex::default(),
        });
        let (address, on) = (address.to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&address) else { continue };
                let number = on.opened.fetch_add(1, Ordering::SeqCst);
                let second = |stream: &TcpStream| stream.try_clone().expect("a second handle");
                on.streams.lock().expect("whole").extend([second(&near), second(&far)]);
                let there = (second(&near), second(&far));
                let shared = Arc::clone(&on);
                thread::spawn(move || carry(there, || shared.loses(number, false)));
                let shared = Arc::clone(&on);
                thread::spawn(move || carry((far, near), || shared.loses(number, true)));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Loses from now on.
    pub(crate) fn lose(&self, loss: Loss) {
        let now = self.shared.opened.load(Ordering::SeqCst);
        let (both, answers) = match loss {
            Loss::Nothing => (0, 0),
            Loss::OldConnections => (now, now),
            Loss::OldAnswers => (0, now),
            Loss::Everything => (u32::MAX, u32::MAX),
        };
        self.shared.lost_before.store(both, Ordering::SeqCst);
        self.shared.answers_lost_before.store(answers, Ordering::SeqCst);
    }
}

impl Shared {
    fn loses(&self, number: u32, is_answer: bool) -> bool {
        let before = if is_answer { &self.answers_lost_before } else { &self.lost_before };
        number < before.load(Ordering::SeqCst)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for stream in self.shared.streams.lock().expect("whole").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Takes what comes on the one side, and gives it to the other unless it is lost.
fn carry((mut from, mut to): (TcpStream, TcpStream), is_lost: impl Fn() -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            // Taken, so that nobody's system notices, and gone.
            Ok(_) if is_lost() => {}
            Ok(count) => {
                if buffer.get(..count).is_none_or(|bytes| to.write_all(bytes).is_err()) {
                    break;
                }
            }
        }
    }
    if !is_lost() {
        let _ = to.shutdown(Shutdown::Write);
    }
}
