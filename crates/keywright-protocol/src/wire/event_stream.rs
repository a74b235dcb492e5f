//! Server-sent events: `text/event-stream` of the HTML standard, §9.2, as far as one line of data
//! for each event needs.

/// The media type.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// One event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// What `Last-Event-ID` will say when the stream is resumed after it.
    pub id: String,
    /// What it tells.
    pub data: String,
}

/// An event as it is sent. Neither part may hold a line end.
pub fn encode(id: u64, data: &str) -> String {
    format!("id: {id}\ndata: {data}\n\n")
}

/// Takes a stream apart, in whatever pieces it comes.
#[derive(Debug)]
pub struct EventParser {
    line: Vec<u8>,
    id: String,
    data: Option<String>,
    bytes_max: usize,
}

/// The stream holds more in one event than was agreed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an event is too large")]
pub struct EventTooLarge;

impl EventParser {
    /// A parser that takes events up to a size.
    pub const fn new(bytes_max: usize) -> Self {
        Self { line: Vec::new(), id: String::new(), data: None, bytes_max }
    }

    /// The events that are complete with this piece.
    ///
    /// # Errors
    /// When an event grows beyond the bound; the stream is of no use then.
    pub fn push(&mut self, piece: &[u8]) -> Result<Vec<Event>, EventTooLarge> {
        let mut events = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
            if held + part.len() > self.bytes_max {
                return Err(EventTooLarge);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                events.extend(self.end_line(&line));
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<Event> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            return self.data.take().map(|data| Event { id: self.id.clone(), data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => data.extend(["\n", value]),
                None => self.data = Some(value.to_owned()),
            },
            "id" => value.clone_into(&mut self.id),
            // A comment, or something that is not used here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(id: &str, data: &str) -> Event {
        Event { id: id.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn lines_become_events() {
        let mut parser = EventParser::new(100);
        let stream =
            ": hello\r\n\r\nid: 1\r\ndata:a\r\n\r\nretry: 5\ndata: b\ndata: c\n\ndata\n\nid";
        let events = parser.push(stream.as_bytes()).unwrap();
        assert_eq!(events, [event("1", "a"), event("1", "b\nc"), event("1", "")]);
        assert_eq!(parser.push(b":2\ndata: x").unwrap(), []);
        assert_eq!(parser.push(b"y\n\n").unwrap(), [event("2", "xy")]);
    }

    #[test]
    fn an_event_has_a_bound() {
        let mut parser = EventParser::new(10);
        assert_eq!(parser.push(b"data: 1234"), Ok(vec![]));
        assert_eq!(parser.push(b"5"), Err(EventTooLarge));
        let mut parser = EventParser::new(10);
        assert!(parser.push(b"data: 123\ndata: 45\n").is_err(), "all its lines together");
        let mut parser = EventParser::new(10);
        assert_eq!(parser.push(b"data: 12\n\ndata: 34\n\n").unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            events in proptest::collection::vec((any::<u64>(), "[!-~]{0,40}"), 0..10),
            cuts in proptest::collection::vec(1..20usize, 1..50),
        ) {
            let stream: String = events.iter().map(|(id, data)| encode(*id, data)).collect();
            let (mut rest, mut found) = (stream.as_bytes(), Vec::new());
            let mut parser = EventParser::new(200);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, later) = rest.split_at((*cut).min(rest.len()));
                found.extend(parser.push(piece).unwrap());
                rest = later;
            }
            let want = events.iter().map(|(id, data)| event(&id.to_string(), data));
            let want: Vec<_> = want.collect();
            prop_assert_eq!(found, want);
        }
    }
}
