//! Where a page of rows ended, as a text that an unfinished copy remembers.

use keywright_jose::{base64url_decode, base64url_encode};

use super::Cell;
use crate::StoreFault;

/// What the last row of a page is ordered by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place(pub(crate) Vec<Cell>);

impl Place {
    pub(crate) fn to_text(&self) -> String {
        let parts = self.0.iter().map(|cell| match cell {
            Cell::Null => "0".to_owned(),
            Cell::Number(number) => format!("n{number}"),
            Cell::Text(text) => format!("t{}", base64url_encode(text.as_bytes())),
            Cell::Bytes(bytes) => format!("b{}", base64url_encode(bytes)),
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn parse(text: &str) -> Result<Self, StoreFault> {
        let parts = text.split(' ').map(|part| {
            let (kind, rest) = part.split_at_checked(1)?;
            match kind {
                "0" => Some(Cell::Null),
                "n" => rest.parse().ok().map(Cell::Number),
                "b" => base64url_decode(rest).ok().map(Cell::Bytes),
                "t" => String::from_utf8(base64url_decode(rest).ok()?).ok().map(Cell::Text),
                _ => None,
            }
        });
        let cells = parts.collect::<Option<_>>().map(Self);
        cells.ok_or_else(|| StoreFault::Corrupt("the place of an unfinished copy".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let cells = [Cell::Number(-7), Cell::Text("a b".to_owned()), Cell::Bytes(vec![0, 255])];
        for cells in [vec![], cells.to_vec(), vec![Cell::Text(String::new()), Cell::Null]] {
            let place = Place(cells);
            if !place.0.is_empty() {
                assert_eq!(Place::parse(&place.to_text()).unwrap(), place);
            }
        }
        assert!(Place::parse("x1").is_err() && Place::parse("").is_err());
    }
}
